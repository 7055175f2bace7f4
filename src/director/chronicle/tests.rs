use super::*;

pub(super) fn draft(number: usize) -> Draft {
    Draft::new(EventKind::PoolDown, "quorum", format!("number {number}"))
}

pub(super) fn stamp() -> Stamp {
    Stamp { unix_ms: 1, at_ms: 2, director: None }
}

fn filled(number: usize) -> Chronicle {
    let mut chronicle = Chronicle::default();
    (1..=number).for_each(|number| drop(chronicle.push(draft(number), stamp())));
    chronicle
}

fn ids(events: &[Arc<Packed>]) -> Vec<u64> {
    events.iter().map(|event| event.id).collect()
}

#[test]
fn the_newest_are_kept_and_what_is_gone_is_counted() {
    let chronicle = filled(MOST_EVENTS + 100);
    assert_eq!(chronicle.events.len(), MOST_EVENTS);
    let page = chronicle.after(50, 3);
    assert_eq!((page.lost, ids(&page.events)), (50, vec![101, 102, 103]));
    let page = chronicle.after(101, 1);
    assert_eq!((page.lost, ids(&page.events)), (0, vec![102]));
    assert_eq!(chronicle.after(chronicle.last_id(), 5), Page { events: Vec::new(), lost: 0 });
}

#[test]
fn a_number_that_was_never_given_begins_at_the_oldest() {
    let page = filled(3).after(1_000, 10);
    assert_eq!((page.lost, ids(&page.events)), (0, vec![1, 2, 3]));
}

#[test]
fn a_query_gets_the_newest_or_the_first_after_a_number() {
    let chronicle = filled(10);
    let query = |after| EventQuery { after, ..EventQuery::default() };
    assert_eq!(ids(&chronicle.find(&query(None), 3).events), [8, 9, 10]);
    assert_eq!(ids(&chronicle.find(&query(Some(4)), 3).events), [5, 6, 7]);
    assert_eq!(chronicle.find(&query(None), 3).last_id, 10);
}

#[test]
fn numbers_go_on_after_what_was_left_even_with_gaps() {
    let left = [4, 5, 9, 9, 2].map(crate::control::event_record);
    let mut chronicle = Chronicle::after_past(left);
    assert_eq!(chronicle.push(draft(1), stamp()).id, 10);
    assert_eq!(ids(&chronicle.after(4, 10).events), [5, 9, 10]);
    assert_eq!(chronicle.after(1, 1).lost, 2);
}

#[test]
fn a_number_that_has_no_next_one_is_left_out() {
    let last = EventRecord { id: u64::MAX, ..crate::control::event_record(4) };
    let mut chronicle = Chronicle::after_past([crate::control::event_record(3), last]);
    assert_eq!(chronicle.push(draft(1), stamp()).id, 4);
}

#[test]
fn a_long_sentence_is_cut_between_characters() {
    let mut chronicle = Chronicle::default();
    let event = chronicle.push(Draft::new(EventKind::Trouble, "", "é".repeat(10_000)), stamp());
    assert_eq!(event.message.chars().count(), MESSAGE_CHARACTERS + 1);
}
