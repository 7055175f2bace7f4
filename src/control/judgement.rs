//! Whether an action can be taken, and the sentence that says so. Pure: the event loop asks, and gives the command.

use super::action::{Answer, ElectionAction, RefusalCode, Refused};
use crate::model::RouterName;
use crate::policy::duration_words;
use crate::vrrp::picture::{Picture, RouterPicture};
use crate::vrrp::role::Role;

/// A name that is less alike than this is no typing mistake.
const ALIKE: f64 = 0.7;
/// Names that are listed; of more their number is said.
const NAMED: usize = 20;

/// What `action` will do to the routers of `picture`.
///
/// # Errors
/// When there is no such router, or none at all.
pub fn judge(action: &ElectionAction, picture: &Picture) -> Result<Answer, Refused> {
    let routers = chosen(action.router(), picture)?;
    let message = match action {
        ElectionAction::Release { for_time, .. } => {
            let until = match for_time {
                Some(time) => format!("for {}", duration_words(*time)),
                None => "until `tandem clear`".to_owned(),
            };
            let masters = names(&routers, |router| router.role == Role::Master);
            match masters.is_empty() {
                true => {
                    format!("{} stays out of mastership here {until}", names(&routers, |_| true).join(", "))
                }
                false => format!(
                    "{} is handed over to another director, and stays out of mastership here {until}",
                    masters.join(", ")
                ),
            }
        }
        ElectionAction::Clear { .. } => match names(&routers, |router| router.released) {
            released if released.is_empty() => "nothing was released".to_owned(),
            released => format!("{} takes part in the election again", released.join(", ")),
        },
    };
    Ok(Answer { routers: names(&routers, |_| true), message, notes: Vec::new(), generation: None })
}

fn chosen<'a>(wanted: Option<&RouterName>, picture: &'a Picture) -> Result<Vec<&'a RouterPicture>, Refused> {
    if picture.routers.is_empty() {
        let message =
            "this director has no virtual routers: it holds its addresses alone, and nobody could take over";
        return Err(Refused::new(RefusalCode::Guard, message));
    }
    let chosen: Vec<_> =
        picture.routers.iter().filter(|router| wanted.is_none_or(|wanted| router.name == *wanted)).collect();
    match wanted {
        Some(wanted) if chosen.is_empty() => {
            let known: Vec<String> = picture.routers.iter().map(|router| router.name.to_string()).collect();
            Err(unknown(RefusalCode::UnknownRouter, "virtual router of the policy is", wanted, &known))
        }
        _ => Ok(chosen),
    }
}

/// No `what` called `wanted`: the nearest name of those that are, or all of them.
#[must_use]
pub fn unknown(code: RefusalCode, what: &str, wanted: &str, known: &[String]) -> Refused {
    let alike = |name: &&String| strsim::jaro_winkler(wanted, name);
    let nearest = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let hint = match nearest.filter(|nearest| alike(nearest) >= ALIKE) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None if known.is_empty() => "there is none".to_owned(),
        None if known.len() <= NAMED => format!("there are: {}", known.join(", ")),
        None => format!("there are {}", known.len()),
    };
    Refused::new(code, format!("no {what} called {wanted:?}; {hint}"))
}

fn names(routers: &[&RouterPicture], wanted: impl Fn(&RouterPicture) -> bool) -> Vec<String> {
    let mut names: Vec<String> =
        routers.iter().filter(|router| wanted(router)).map(|router| router.name.to_string()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::picture;
    use std::time::Duration;

    fn release(router: Option<&str>) -> ElectionAction {
        ElectionAction::Release { router: router.map(Into::into), for_time: Some(Duration::from_secs(600)) }
    }

    #[test]
    fn a_release_names_the_routers_that_are_handed_over() {
        let answer = judge(&release(None), &picture()).expect("two routers");
        assert_eq!(answer.routers, ["inside", "outside"]);
        assert_eq!(
            answer.message,
            "outside is handed over to another director, and stays out of mastership here for 10m"
        );
        let answer = judge(&release(Some("inside")), &picture()).expect("one router");
        assert_eq!(
            (answer.routers.len(), &*answer.message),
            (1, "inside stays out of mastership here for 10m")
        );
    }

    #[test]
    fn an_unknown_router_is_refused_with_the_nearest_name_or_all_of_them() {
        let refused = judge(&release(Some("outsid")), &picture()).expect_err("unknown");
        assert_eq!(refused.code, RefusalCode::UnknownRouter);
        assert!(refused.message.ends_with("did you mean outside?"), "{refused}");
        let refused = judge(&release(Some("x")), &picture()).expect_err("unknown");
        assert!(refused.message.ends_with("there are: outside, inside"), "{refused}");
    }

    #[test]
    fn a_director_without_routers_has_nothing_to_release() {
        let refused = judge(&release(None), &Picture::default()).expect_err("alone");
        assert_eq!(refused.code, RefusalCode::Guard);
    }

    #[test]
    fn clearing_says_whether_anything_was_released() {
        let clear = ElectionAction::Clear { router: None };
        assert_eq!(judge(&clear, &picture()).expect("cleared").message, "nothing was released");
        let mut released = picture();
        released.routers[0].released = true;
        assert_eq!(
            judge(&clear, &released).expect("cleared").message,
            "outside takes part in the election again"
        );
    }
}
