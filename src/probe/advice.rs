//! The words in which a file, a program or an agent says what a server can take. Pure.
//!
//! They are those of HAProxy's agent protocol (configuration manual, `agent-check`): `up` or `ready`, `down`, `fail` or
//! `stopped` (with `#` and a reason behind it), `drain`, `maint`, and a share of the configured weight such as `50%`. Several
//! may stand in one line, separated by blanks or commas; of two that say the same kind of thing the later counts.

use crate::model::{Advice, AdvisedState, Failure, Findings};

/// What is asked for, for a message.
pub(super) const WORDS: &str = "up, down, drain, maint or a share such as 50%";

/// What a line says; `None` where a word of it means nothing here, or there is none.
pub(super) fn parse(line: &str) -> Option<Advice> {
    let (said, reason) = line.split_once('#').map_or((line, None), |(said, reason)| (said, Some(reason)));
    let words = said.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let mut advice = None;
    for word in words {
        advice = Some(with(advice.unwrap_or_default(), word)?);
    }
    // A reason belongs to a word that says down.
    let down = |advice: &Advice| advice.state == Some(AdvisedState::Down);
    advice.filter(|advice| reason.is_none() || down(advice))
}

fn with(advice: Advice, word: &str) -> Option<Advice> {
    let state = |state| Some(Advice { state: Some(state), ..advice });
    match word.to_ascii_lowercase().as_str() {
        "up" | "ready" => state(AdvisedState::Up),
        "drain" => state(AdvisedState::Drain),
        "maint" => state(AdvisedState::Maintenance),
        "down" | "fail" | "stopped" => state(AdvisedState::Down),
        // A limit of connections is the kernel's `thresholds`, which only the policy sets.
        word if word.starts_with("maxconn:") => Some(advice),
        word => {
            let share = word.strip_prefix("weight:").unwrap_or(word).strip_suffix('%')?;
            let percent = share.parse().ok().filter(|_| share.bytes().all(|byte| byte.is_ascii_digit()))?;
            Some(Advice { weight_percent: Some(percent), ..advice })
        }
    }
}

/// As the policy says, whatever was said before.
pub(super) const AS_CONFIGURED: Advice = Advice { weight_percent: None, state: Some(AdvisedState::Up) };

/// What a check finds where `who` wrote `text`: nothing is `up`, and `down` is a failure. `None` where a word means nothing.
pub(super) fn found(who: impl FnOnce() -> String, text: &str) -> Option<Result<Findings, Failure>> {
    if text.trim().is_empty() {
        return Some(Ok(findings(AS_CONFIGURED)));
    }
    let advice = parse(text)?;
    Some(match advice.state {
        Some(AdvisedState::Down) => Err(Failure::SaidDown(who())),
        Some(AdvisedState::Up | AdvisedState::Drain | AdvisedState::Maintenance) | None => {
            Ok(findings(advice))
        }
    })
}

/// A success that says this.
pub(super) fn findings(advice: Advice) -> Findings {
    Findings { advice: Some(advice), ..Findings::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn advice(weight_percent: Option<u16>, state: Option<AdvisedState>) -> Option<Advice> {
        Some(Advice { weight_percent, state })
    }

    #[test]
    fn a_line_may_say_a_state_and_a_share() {
        use AdvisedState::{Down, Drain, Maintenance, Up};
        for (line, expected) in [
            ("up", advice(None, Some(Up))),
            ("ready, 50%", advice(Some(50), Some(Up))),
            ("DRAIN\t0%", advice(Some(0), Some(Drain))),
            ("maint", advice(None, Some(Maintenance))),
            ("down#disk full, 100%", advice(None, Some(Down))),
            ("stopped # by hand", advice(None, Some(Down))),
            ("50% 75%", advice(Some(75), None)),
            ("weight:120% maxconn:30", advice(Some(120), None)),
            ("", None),
            ("weight:12", None),
            ("12", None),
            ("+5%", None),
            ("70000%", None),
            ("up #why", None),
            ("up and running", None),
        ] {
            assert_eq!(parse(line), expected, "{line:?}");
        }
    }

    #[test]
    fn down_is_a_failure_and_nothing_is_up() {
        let who = || "the file /run/web1".to_owned();
        assert_eq!(
            found(who, " \n"),
            Some(Ok(findings(AS_CONFIGURED))),
            "it takes back what was said before"
        );
        assert_eq!(found(who, "up down"), Some(Err(Failure::SaidDown(who()))));
        assert_eq!(found(who, "sideways"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_line_is_read(line in "\\PC{0,40}") {
            let _ = parse(&line);
        }

        #[test]
        fn any_share_comes_back(percent in any::<u16>(), blanks in "[ ,\t]{0,3}") {
            prop_assert_eq!(parse(&format!("{blanks}{percent}%{blanks}")), advice(Some(percent), None));
        }
    }
}
