//! Protocols without any network: what each says to what it hears, whole and in pieces, and to any bytes at all.

use super::smtp::Goal;
use super::{Dialogue, Farewell, MySql, PostgreSql, Reach, Redis, Smtp, Speaker, Turn};
use crate::model::{
    CheckName, DialogueSpec, Failure, MySqlSpec, Pattern, Phase, PostgreSqlSpec, RedisSpec, SmtpSpec, Step,
};
use proptest::prelude::*;

/// How an exchange went.
#[derive(Debug, PartialEq, Eq)]
struct Course {
    said: Vec<u8>,
    /// `None`: it still listened when the server had said everything.
    end: Option<(Result<(), Failure>, Farewell)>,
}

/// Turns of an exchange with `pieces`, at most: each byte may be listened to, used up and answered.
fn patience(pieces: &[&[u8]]) -> usize {
    64 + 4 * pieces.iter().map(|piece| piece.len() + 1).sum::<usize>()
}

/// The exchange with a server that sends these pieces, whatever it is told, and then `reach`.
fn course<'a>(mut speaker: impl Speaker<'a>, pieces: &[&[u8]], reach: Reach) -> Course {
    let (mut said, mut heard, mut pieces_left) = (Vec::new(), Vec::new(), pieces.iter());
    let mut now = Reach::More;
    for _ in 0..patience(pieces) {
        match speaker.next(&heard, now) {
            Turn::End { result, farewell } => return Course { said, end: Some((result, farewell)) },
            Turn::Say { used, bytes } => {
                heard.drain(..used);
                said.extend_from_slice(&bytes);
            }
            Turn::Listen { used, phase: _ } => {
                heard.drain(..used);
                if used > 0 && !heard.is_empty() {
                    continue;
                }
                match pieces_left.next() {
                    Some(piece) => heard.extend_from_slice(piece),
                    None if now == Reach::More && reach != Reach::More => now = reach,
                    None => return Course { said, end: None },
                }
            }
        }
    }
    panic!("an exchange without end");
}

fn result<'a>(speaker: impl Speaker<'a>, answer: &[u8], reach: Reach) -> Option<Result<(), Failure>> {
    course(speaker, &[answer], reach).end.map(|(result, _)| result)
}

fn check() -> CheckName {
    "alive".into()
}

fn dialogue(steps: &[Step]) -> Dialogue {
    Dialogue::new(&check(), &DialogueSpec { steps: steps.to_vec() }).expect("a good dialogue")
}

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

fn expect(text: &str) -> Step {
    Step::Expect(Pattern::Bytes(text.as_bytes().to_vec()))
}

fn matches(source: &str) -> Step {
    Step::Expect(Pattern::Regex(source.to_owned()))
}

fn redis() -> Redis {
    Redis::new(&check(), &RedisSpec::default()).expect("no secret to read")
}

fn mysql(user: Option<&str>) -> MySql {
    MySql::new(&MySqlSpec { user: user.map(str::to_owned) })
}

fn postgresql() -> PostgreSql {
    PostgreSql::new(&PostgreSqlSpec { user: "check".to_owned(), database: None })
}

fn smtp() -> Smtp {
    Smtp::new(&SmtpSpec { hello: Some("lb-a.example.com".to_owned()), starttls: None }, None)
}

const MARIADB_GREETING: &[u8] = b"\x0a10.11.14-MariaDB\0\x05\0\0\0abcdefgh\0\xfe\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0ijklmnopqrst\0mysql_native_password\0";

/// A packet of MySQL.
fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [low, middle, high, ..] = payload.len().to_le_bytes();
    [&[low, middle, high, sequence][..], payload].concat()
}

/// A message of PostgreSQL.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

#[test]
fn an_expectation_looks_on_behind_the_one_before() {
    let steps = [expect("220 "), send("QUIT\r\n"), expect("221 ")];
    let banner = b"220 mail 221 in its banner\r\n";
    assert_eq!(course(dialogue(&steps).begin(), &[banner], Reach::More).end.map(|end| end.0), Some(Ok(())));
    let twice = dialogue(&[expect("ab"), expect("ab")]);
    assert_eq!(result(twice.begin(), b"abab", Reach::More), Some(Ok(())));
    assert_eq!(result(twice.begin(), b"aba", Reach::More), None, "it listens on");
    assert_eq!(
        result(twice.begin(), b"aba", Reach::Closed),
        Some(Err(Failure::UnexpectedReply("a".to_owned())))
    );
    assert_eq!(
        result(twice.begin(), b"", Reach::Closed),
        Some(Err(Failure::ConnectionLost(Phase::Expectation))),
        "a server that says nothing"
    );
}

#[test]
fn what_is_sent_goes_out_before_its_answer_is_awaited() {
    let spoken = dialogue(&[send("one"), expect("1"), send("two"), matches("^2+$")]);
    let course = course(spoken.begin(), &[b"1", b"2"], Reach::More);
    assert_eq!((course.said.as_slice(), course.end), (&b"onetwo"[..], Some((Ok(()), Farewell::Reset))));
}

#[test]
fn an_expression_is_found_across_pieces_however_small_they_are() {
    let answer = [vec![b'x'; 5000], b"ready 42\r\n".to_vec()].concat();
    let pieces: Vec<&[u8]> = answer.chunks(1).collect();
    let looked = dialogue(&[matches("ready [0-9]+\r\n")]);
    assert_eq!(course(looked.begin(), &pieces, Reach::Closed).end.map(|end| end.0), Some(Ok(())));
}

#[test]
fn redis_answers_ping_or_says_why_not() {
    let course = course(redis().begin(), &[b"+PO", b"NG\r\n"], Reach::More);
    assert_eq!(course.said, b"*1\r\n$4\r\nPING\r\n");
    assert_eq!(course.end, Some((Ok(()), Farewell::Reset)));
    let says =
        |answer: &[u8]| result(redis().begin(), answer, Reach::Closed).expect("an end").expect_err("bad");
    assert_eq!(
        says(b"-LOADING Redis is loading the dataset in memory\r\n"),
        Failure::ServerError("LOADING Redis is loading the dataset in memory".to_owned())
    );
    assert!(
        says(b"-NOAUTH Authentication required.\r\n").to_string().ends_with("say the check's `password`")
    );
    assert_eq!(says(b"HTTP/1.1 400 Bad Request\r\n").reason(), "unexpected_reply");
}

#[test]
fn mysql_greets_and_lets_a_user_in() {
    let greeting = packet(0, MARIADB_GREETING);
    assert_eq!(result(mysql(None).begin(), &greeting, Reach::More), Some(Ok(())));
    let ok = packet(2, b"\0\0\0\x02\0\0\0");
    let let_in = course(mysql(Some("check")).begin(), &[&greeting, &ok], Reach::More);
    assert_eq!(let_in.end, Some((Ok(()), Farewell::Say(&[1, 0, 0, 0, 1]))));
    assert_eq!(&let_in.said[..4], &[u8::try_from(let_in.said.len() - 4).expect("short"), 0, 0, 1]);
    assert!(let_in.said.ends_with(b"check\0\0mysql_native_password\0"));
}

#[test]
fn mysql_is_down_in_the_servers_own_words() {
    let says = |packets: &[u8], user| {
        result(mysql(user).begin(), packets, Reach::More).expect("an end").expect_err("a failure").to_string()
    };
    let error = b"\xff\x10\x04#08004Too many connections";
    assert_eq!(says(&packet(0, error), None), "the server says: Too many connections (error 1040)");
    let refused = packet(2, b"\xff\x15\x04#28000Access denied");
    let greeting = packet(0, MARIADB_GREETING);
    assert_eq!(
        says(&[greeting.clone(), refused].concat(), Some("check")),
        "the server says: Access denied (error 1045)"
    );
    let unix = packet(2, b"\xfeunix_socket\0");
    assert!(says(&[greeting.clone(), unix].concat(), Some("check")).contains("plug-in unix_socket"));
    let password = packet(4, b"\x01\x04");
    assert!(says(&[greeting, password].concat(), Some("check")).contains("has a password"));
    assert!(says(b"SSH-2.0-OpenSSH_9.2\r\n", None).starts_with("malformed response: not MySQL"));
}

#[test]
fn mysql_follows_the_server_to_another_plug_in() {
    let greeting = packet(0, MARIADB_GREETING);
    let switch = packet(2, b"\xfecaching_sha2_password\0scramble-of-20-bytes\0");
    // The word of its cache and the OK come in one piece.
    let in_cache = [packet(4, b"\x01\x03"), packet(5, b"\0\0\0\x02\0\0\0")].concat();
    let course = course(mysql(Some("check")).begin(), &[&greeting, &switch, &in_cache], Reach::More);
    assert_eq!(course.end.map(|end| end.0), Some(Ok(())));
    assert!(course.said.ends_with(&[1, 0, 0, 3, 0]), "an empty password, as that plug-in has it");
}

#[test]
fn postgresql_is_up_when_it_asks_who_we_are() {
    let asks = message(b'R', &[0, 0, 0, 10, b'S', b'C', b'R', b'A', b'M', 0, 0]);
    let course_of = |pieces: &[&[u8]]| course(postgresql().begin(), pieces, Reach::Closed);
    let course = course_of(&[&asks]);
    assert_eq!(course.end, Some((Ok(()), Farewell::Close)));
    assert_eq!(&course.said[..8], &[0, 0, 0, 59, 0, 3, 0, 0]);
    assert_eq!(&course.said[8..], b"user\0check\0database\0check\0application_name\0tandem\0\0");
    let lets_in = message(b'R', &[0, 0, 0, 0]);
    let session =
        [lets_in.clone(), message(b'S', b"TimeZone\0UTC\0"), message(b'K', &[0; 8]), message(b'Z', b"I")];
    assert_eq!(course_of(&[&session.concat()]).end, Some((Ok(()), Farewell::Say(b"X\0\0\0\x04"))));
    let no_database = message(b'E', b"SFATAL\0C3D000\0Mdatabase \"check\" does not exist\0\0");
    let failed = course_of(&[&lets_in, &no_database]).end.expect("an end").0;
    assert_eq!(
        failed.expect_err("no database").to_string(),
        "the server says: FATAL: database \"check\" does not exist"
    );
    assert_eq!(
        course_of(&[b"HTTP/1.1 400 Bad"]).end.expect("an end").0.expect_err("bad").reason(),
        "malformed"
    );
}

#[test]
fn smtp_goes_on_to_helo_with_a_server_that_does_not_know_ehlo() {
    let new = course(
        smtp().begin(None, Goal::Hello),
        &[b"220-mail\r\n220 ESMTP\r\n", b"250-mail\r\n250 HELP\r\n"],
        Reach::More,
    );
    assert_eq!(new.said, b"EHLO lb-a.example.com\r\n");
    assert_eq!(new.end, Some((Ok(()), Farewell::Say(b"QUIT\r\n"))));
    let old = course(
        smtp().begin(None, Goal::Hello),
        &[b"220 mail\r\n", b"502 what?\r\n", b"250 mail\r\n"],
        Reach::More,
    );
    assert_eq!(old.said, b"EHLO lb-a.example.com\r\nHELO lb-a.example.com\r\n");
    assert_eq!(old.end.map(|end| end.0), Some(Ok(())));
}

#[test]
fn smtp_calls_itself_by_its_address_where_no_name_is_said() {
    for (own, name) in [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
    ] {
        let said = course(
            Smtp::new(&SmtpSpec::default(), None).begin(own.parse().ok(), Goal::Hello),
            &[b"220 mail\r\n"],
            Reach::More,
        )
        .said;
        assert_eq!(said, format!("EHLO {name}\r\n").into_bytes());
    }
}

#[test]
fn smtp_is_down_in_the_servers_own_words() {
    let says = |answer: &[u8]| {
        result(smtp().begin(None, Goal::Hello), answer, Reach::More)
            .expect("an end")
            .expect_err("a failure")
            .to_string()
    };
    assert_eq!(says(b"421 Too many connections\r\n"), "the server says: 421 Too many connections");
    assert_eq!(says(b"554-No mail here\r\n554 Go away\r\n"), "the server says: 554 No mail here");
    assert_eq!(says(b"220 mail\r\n550 who?\r\n"), "the server says: 550 who?");
    assert_eq!(says(b"SSH-2.0-OpenSSH_9.2\r\n"), "malformed response: not SMTP (SSH-2.0-OpenSSH_9.2)");
    assert!(says(&[b'2'; 3000]).starts_with("malformed"), "a line without end");
}

#[test]
fn smtp_asks_for_tls_only_where_it_is_offered_and_takes_nothing_in_the_clear_after_it() {
    let to_tls = |pieces: &[&[u8]]| course(smtp().begin(None, Goal::StartTls), pieces, Reach::More);
    let offers: &[u8] = b"250-mail\r\n250-starttls\r\n250 HELP\r\n";
    let good = to_tls(&[b"220 mail\r\n", offers, b"220 go\r\n"]);
    assert_eq!(good.said, b"EHLO lb-a.example.com\r\nSTARTTLS\r\n");
    assert_eq!(good.end, Some((Ok(()), Farewell::Reset)));
    let failure =
        |pieces: &[&[u8]]| to_tls(pieces).end.expect("an end").0.expect_err("a failure").to_string();
    let without = failure(&[b"220 mail STARTTLS\r\n", b"250-mail\r\n250 HELP\r\n"]);
    assert_eq!(without, "unexpected reply: the server does not offer STARTTLS");
    assert_eq!(failure(&[b"220 mail\r\n", offers, b"454 not now\r\n"]), "the server says: 454 not now");
    let injected = failure(&[b"220 mail\r\n", offers, b"220 go\r\n250 injected\r\n"]);
    assert!(injected.contains("in the clear after STARTTLS"), "{injected}");
    let again = course(smtp().begin(None, Goal::HelloAgain), &[b"250 mail\r\n"], Reach::More);
    assert_eq!(
        (again.said.as_slice(), again.end),
        (&b"EHLO lb-a.example.com\r\n"[..], Some((Ok(()), Farewell::Say(b"QUIT\r\n"))))
    );
}

/// Parts of answers, so that generated ones come far.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<Vec<u8>> = vec![
        b"+PONG\r\n".to_vec(),
        b"-ERR no\r\n".to_vec(),
        b"220 mail\r\n".to_vec(),
        b"250-mail\r\n".to_vec(),
        b"250 mail\r\n".to_vec(),
        packet(0, MARIADB_GREETING),
        packet(2, b"\0\0\0\x02\0\0\0"),
        packet(2, b"\xfemysql_native_password\0"),
        packet(4, b"\x01\x03"),
        message(b'R', &[0, 0, 0, 0]),
        message(b'R', &[0, 0, 0, 5]),
        message(b'N', b"SNOTICE\0Mhello\0\0"),
        message(b'E', b"SFATAL\0Mno\0\0"),
        message(b'Z', b"I"),
    ];
    prop_oneof![
        4 => prop::sample::select(known),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

/// Every protocol's course with this answer.
fn courses(pieces: &[&[u8]], reach: Reach) -> Vec<Course> {
    let texts = dialogue(&[send("a"), expect("mail"), send("b"), matches("(?-u)[0-9]+ |\\xff")]);
    vec![
        course(texts.begin(), pieces, reach),
        course(redis().begin(), pieces, reach),
        course(mysql(None).begin(), pieces, reach),
        course(mysql(Some("check")).begin(), pieces, reach),
        course(postgresql().begin(), pieces, reach),
        course(smtp().begin(None, Goal::Hello), pieces, reach),
        course(smtp().begin(None, Goal::HelloAgain), pieces, reach),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_in_any_pieces_has_one_end(
        parts in prop::collection::vec(part(), 0..6),
        size in 1_usize..40,
        reach in prop::sample::select(vec![Reach::More, Reach::Closed]),
    ) {
        let answer = parts.concat();
        let whole = courses(&[&answer], reach);
        let pieces: Vec<&[u8]> = answer.chunks(size).collect();
        prop_assert_eq!(whole, courses(&pieces, reach));
    }

    #[test]
    fn a_server_that_never_stops_is_malformed_or_unexpected(byte in any::<u8>()) {
        let flood = vec![byte; DialogueSpec::READ_LIMIT];
        for course in courses(&[&flood], Reach::Full) {
            if let Some((end, _)) = course.end {
                let reason = end.expect_err("no protocol answers with one byte alone").reason();
                prop_assert!(["malformed", "unexpected_reply", "server_error"].contains(&reason), "{}", reason);
            }
        }
    }
}
