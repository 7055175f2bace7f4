//! The rules of a pool beyond its checks: quorum, sorry server, panic, slow start, drain.

use super::pool::{Context, Facts};
use super::{config, servers};
use crate::model::{
    Curve, Drain, OnLoss, Panic, PanicAction, Percent, PoolRules, Quorum, QuorumUnit, RealServer, SlowStart,
    VerdictBy, WeightFrom,
};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Spanned;
use crate::policy::schema::{
    CurveWord, OnLossWord, PanicText, PanicWord, PoolText, QuorumText, Share, SlowStartText, VerdictWord,
};
use crate::policy::source::Span;

/// What a pool decides by beyond its checks, defaults written out; `weight_from` as it was read.
pub(super) fn rules(
    pool: &PoolText,
    facts: &Facts<'_>,
    servers: &[Spanned<RealServer>],
    weight_from: WeightFrom,
    problems: &mut Problems,
) -> PoolRules {
    let has_sorry = !pool.sorry_server.is_absent();
    let quorum = match pool.quorum.given() {
        Some(said) => quorum_of(said, servers, has_sorry, problems),
        None => Quorum { on_loss: on_loss_of(has_sorry), ..Quorum::default() },
    };
    let panic = pool.panic.given().map(|said| panic_of(said, has_sorry, problems));
    only_backups(facts, servers, problems);
    sorry_unused(pool, &quorum, panic.as_ref(), problems);
    let slow_start = pool.slow_start.given().map(|said| slow_start_of(&said.value, pool));
    if let (Some(said), Some(rules)) = (pool.slow_start.given(), &slow_start) {
        config::weights_are_seen(pool, said.span, problems);
        steps_are_seen(rules, said.span, servers, problems);
    }
    let deadline = pool.drain.value().and_then(|drain| drain.deadline.value()).map(|deadline| deadline.0);
    let drain = deadline.map_or_else(Drain::default, |deadline| Drain { deadline });
    let verdict = match pool.verdict.value() {
        None | Some(VerdictWord::Own) => VerdictBy::Own,
        Some(VerdictWord::Both) => VerdictBy::Both,
    };
    PoolRules { verdict, quorum, panic, slow_start, weight_from, drain }
}

/// The sorry server, once for each family that it says an address of.
pub(super) fn sorry_servers(
    pool: &PoolText,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Vec<Spanned<RealServer>> {
    let Some(said) = pool.sorry_server.given() else { return Vec::new() };
    servers::of_entry(said, facts, context)
}

fn quorum_of(
    said: &Spanned<QuorumText>,
    servers: &[Spanned<RealServer>],
    has_sorry: bool,
    problems: &mut Problems,
) -> Quorum {
    let text = &said.value;
    let (unit, least) = match (text.servers.value(), text.weight.value()) {
        (Some(servers), None) => (QuorumUnit::Servers, servers.0),
        (None, Some(weight)) => (QuorumUnit::Weight, weight.0),
        (None, None) => (QuorumUnit::Servers, 1),
        (Some(servers), Some(_)) => {
            let message = "this quorum counts both servers and weight";
            problems.push(Diagnostic::new(Code::QuorumUnit, said.span, message).help("keep one of the two"));
            (QuorumUnit::Servers, servers.0)
        }
    };
    let most = most(unit, servers);
    reachable(least, most, text.servers.span().or(text.weight.span()), problems);
    let recover = match text.recover.given() {
        Some(recover) => {
            not_below(recover.value.0.into(), least.into(), recover.span, problems);
            reachable(recover.value.0, most, Some(recover.span), problems);
            recover.value.0.max(least)
        }
        None if unit == QuorumUnit::Servers && u64::from(least) < most => least + 1,
        None => least,
    };
    let on_loss = match text.on_loss.given() {
        Some(word) if word.value == OnLossWord::Sorry => {
            sorry_needed(has_sorry, word.span, problems);
            OnLoss::Sorry
        }
        Some(_) => OnLoss::Keep,
        None => on_loss_of(has_sorry),
    };
    Quorum { unit, least, recover, on_loss, shadow: config::says(text.shadow.value()) }
}

/// What the loss of a quorum means where the policy does not say it.
const fn on_loss_of(has_sorry: bool) -> OnLoss {
    match has_sorry {
        true => OnLoss::Sorry,
        false => OnLoss::Keep,
    }
}

/// What all servers together come to.
fn most(unit: QuorumUnit, servers: &[Spanned<RealServer>]) -> u64 {
    let weights = servers.iter().map(|server| u64::from(server.value.weight)).filter(|weight| *weight > 0);
    match unit {
        QuorumUnit::Servers => weights.count() as u64,
        QuorumUnit::Weight => weights.sum(),
    }
}

fn reachable(wanted: u32, most: u64, span: Option<Span>, problems: &mut Problems) {
    let Some(span) = span.filter(|_| u64::from(wanted) > most) else { return };
    let message = format!("{wanted} is more than all servers of the pool come to, {most}");
    let help = format!("write at most {most}, or add servers");
    problems.push(Diagnostic::new(Code::QuorumTooLarge, span, message).help(help));
}

fn not_below(end: u64, beginning: u64, span: Span, problems: &mut Problems) {
    if end < beginning {
        let message = format!("what {end} would end, {beginning} has begun: it would change to and fro");
        problems.push(
            Diagnostic::new(Code::HysteresisOrder, span, message)
                .help(format!("write at least {beginning}, or leave it out")),
        );
    }
}

fn sorry_needed(has_sorry: bool, span: Span, problems: &mut Problems) {
    if !has_sorry {
        let message = "the sorry server shall answer here, and the pool has none";
        problems.push(
            Diagnostic::new(Code::SorryServerMissing, span, message)
                .help("add `sorry_server: {address: 192.168.101.250:80, check: none}` to the pool"),
        );
    }
}

fn sorry_unused(pool: &PoolText, quorum: &Quorum, panic: Option<&Panic>, problems: &mut Problems) {
    let brings =
        quorum.on_loss == OnLoss::Sorry || panic.is_some_and(|panic| panic.action == PanicAction::Sorry);
    if let Some(span) = pool.sorry_server.span().filter(|_| !brings) {
        let message = "no rule of the pool ever brings this sorry server";
        problems.push(
            Diagnostic::new(Code::SorryServerUnused, span, message)
                .help("write `on_loss: sorry` in the quorum, or leave the sorry server out"),
        );
    }
}

fn only_backups(facts: &Facts<'_>, servers: &[Spanned<RealServer>], problems: &mut Problems) {
    let ordinary = servers.iter().any(|server| !server.value.backup);
    if let (Some(first), false) = (servers.first(), ordinary) {
        let message = format!("every server of {} is a backup server", quoted(facts.name.value));
        problems.push(
            Diagnostic::new(Code::OnlyBackups, first.span, message)
                .help("leave `backup` out of those that shall serve at all times"),
        );
    }
}

fn panic_of(said: &Spanned<PanicText>, has_sorry: bool, problems: &mut Problems) -> Panic {
    let text = &said.value;
    let below = text.below.value().map_or(0, percent);
    let recover = match text.recover.given() {
        Some(recover) => {
            not_below(percent(&recover.value).into(), below.into(), recover.span, problems);
            percent(&recover.value).max(below)
        }
        None => below.saturating_add(defaults::PANIC_HYSTERESIS).min(100),
    };
    let action = match text.action.value() {
        None | Some(PanicWord::KeepLast) => PanicAction::KeepLast,
        Some(PanicWord::All) => PanicAction::All,
        Some(PanicWord::None) => PanicAction::None,
        Some(PanicWord::Sorry) => {
            sorry_needed(has_sorry, text.action.span().unwrap_or(said.span), problems);
            PanicAction::Sorry
        }
    };
    Panic {
        below: share(below),
        recover: share(recover),
        within: text.within.value().map(|within| within.0),
        action,
        shadow: config::says(text.shadow.value()),
    }
}

fn slow_start_of(text: &SlowStartText, pool: &PoolText) -> SlowStart {
    let steps = match config::scheduler_name(pool) {
        "mh" => defaults::SLOW_START_STEPS_MH,
        _ => defaults::SLOW_START_STEPS,
    };
    SlowStart {
        duration: text.duration.value().map(|duration| duration.0).unwrap_or_default(),
        from: share(text.from.value().map_or(defaults::SLOW_START_FROM, percent)),
        steps: text.steps.value().map_or(steps, |steps| steps.0),
        curve: match text.curve.value() {
            None | Some(CurveWord::Linear) => Curve::Linear,
            Some(CurveWord::Quadratic) => Curve::Quadratic,
        },
        shadow: config::says(text.shadow.value()),
    }
}

/// Warns of weights that are too small to be given in steps.
fn steps_are_seen(rules: &SlowStart, span: Span, servers: &[Spanned<RealServer>], problems: &mut Problems) {
    let room = |weight: u32| u64::from(weight) * u64::from(100 - rules.from.get()) / 100;
    let positive = servers.iter().filter(|server| server.value.weight > 0);
    let Some(small) = positive.min_by_key(|server| server.value.weight) else { return };
    if room(small.value.weight) < u64::from(rules.steps) {
        let message = format!(
            "the weight {} of {} is too small for {} steps from {}%",
            small.value.weight,
            small.value.name,
            rules.steps,
            rules.from.get()
        );
        problems.push(
            Diagnostic::new(Code::SlowStartCoarse, span, message)
                .related(small.span, "this server")
                .help("write larger weights, such as 100 for every server; only their ratio counts"),
        );
    }
}

fn percent(share: &Share) -> u8 {
    u8::try_from(share.0).unwrap_or(100)
}

fn share(percent: u8) -> Percent {
    Percent::new(percent).unwrap_or(Percent::ALL)
}
