//! Reading a list part by part, by each dialect's own means: at home, and through an upstream of every dialect.
//!
//! The far Sabir plays the chat services, the near one is under test. What stands in their channels is the same.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::running::{Answer, Sabir};
use support::server::Upstream;

const SECRET: &str = "5555555555555555555555555555555555555555555555555555555555555555";

/// What the near Sabir calls its channels: one of its own, and one for each upstream, by the upstream's dialect.
const PLACES: [&str; 8] = [
    "home", "keyauth", "rooms", "glimesh", "chats", "slack", "discord", "matrix",
];

/// Messages in every channel: `t00`, `t01` and so on.
const MESSAGES: usize = 12;

/// Messages in the channel of a long chain: `t000`, `t001` and so on.
const LONG: usize = 160;

struct Chain {
    near: Sabir,
    far: Sabir,
}

impl Chain {
    fn start() -> Chain {
        let chain = Chain::silent();
        for number in 0..MESSAGES {
            for (sabir, room) in [(&chain.far, "den"), (&chain.near, "home")] {
                say(sabir, room, &format!("t{number:02}"));
            }
        }
        chain
    }

    /// With more messages than are looked for at once.
    fn long() -> Chain {
        let chain = Chain::silent();
        for number in 0..LONG {
            if number == 60 || number == 110 {
                // Rooms is asked by seconds.
                std::thread::sleep(Duration::from_millis(1_100));
            }
            say(&chain.far, "den", &format!("t{number:03}"));
        }
        chain
    }

    fn silent() -> Chain {
        let people = format!(
            r#"
[[account]]
name = "alice"
email = "alice@example.com"
password = "a-password"
token = "a-token"
may = ["read", "send", "moderate"]

[[account]]
name = "bob"
token = "b-token"

[[application]]
name = "learn"
keyauth = {{ ownerid = "tiQhtH5R88", secret = "{SECRET}", version = "1.0" }}
"#
        );
        let far = Sabir::start(&format!(
            "{people}\n[[channel]]\nname = \"den\"\nids = {{ glimesh = 6, chats = 7 }}\n"
        ));
        let mut config = format!("{people}\n[[route]]\nfrom = \"*:home\"\nto = \"local:home\"\n");
        for place in &PLACES[1..] {
            config.push_str(&upstream(place, &far));
        }
        Chain {
            near: Sabir::start(&config),
            far,
        }
    }
}

fn say(sabir: &Sabir, room: &str, text: &str) {
    let body = format!(r#"{{"room":"{room}","text":"{text}"}}"#);
    let said = ask(sabir, "POST", "/chat-messages", &body);
    assert_eq!(said.status, 200, "{}", said.body);
}

fn upstream(dialect: &str, far: &Sabir) -> String {
    let rest = match dialect {
        "keyauth" => format!(
            "credential = {{ username = \"alice\", password = \"a-password\" }}\n\
             app = {{ name = \"learn\", ownerid = \"tiQhtH5R88\", version = \"1.0\", secret = \"{SECRET}\" }}\n"
        ),
        "chats" => {
            "credential = { email = \"alice@example.com\", password = \"a-password\" }\n".into()
        }
        _ => "credential = { token = \"a-token\" }\n".into(),
    };
    let channel = match dialect {
        "glimesh" => "6",
        "chats" => "7",
        _ => "den",
    };
    format!(
        "[upstream.{dialect}]\ndialect = \"{dialect}\"\nurl = \"http://{}\"\n{rest}\n\
         [[route]]\nfrom = \"*:{dialect}\"\nto = \"{dialect}:{channel}\"\n",
        far.public
    )
}

fn ask(sabir: &Sabir, method: &str, target: &str, body: &str) -> Answer {
    let headers = [
        ("Authorization", "Bearer a-token"),
        ("Content-Type", "application/json"),
        ("User-Agent", "DiscordBot (test, 1)"),
    ];
    sabir.ask(method, target, &headers, body)
}

fn get(sabir: &Sabir, target: &str) -> Value {
    let answer = ask(sabir, "GET", target, "");
    assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    answer.json()
}

/// The values of a member in a list of objects.
fn each(list: &Value, member: &str) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
    list.iter()
        .map(|one| one[member].as_str().unwrap().to_owned())
        .collect()
}

/// The texts from one message to another, in the order of their numbers.
fn texts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let text = |number| format!("t{number:02}");
    numbers.into_iter().map(text).collect()
}

#[test]
fn discord_reads_on_from_a_message() {
    let chain = Chain::start();
    for place in PLACES {
        let list = |query: &str| {
            let target = format!("/api/v10/channels/{place}/messages?{query}");
            get(&chain.near, &target)
        };
        let shown = |query: &str| each(&list(query), "content");
        let mut ids = each(&list("limit=100"), "id");
        ids.reverse();
        assert_eq!(ids.len(), MESSAGES, "through {place}");
        let at = |way: &str, number: usize| format!("limit=2&{way}={}", ids[number]);
        for (query, wanted) in [
            (at("before", 4), texts([3, 2])),
            (at("before", 1), texts([0])),
            (at("before", 0), texts([])),
            (at("after", 2), texts([4, 3])),
            (at("after", 10), texts([11])),
            (at("after", 11), texts([])),
            // Clients make ids of moments, too.
            ("limit=2&after=0".into(), texts([1, 0])),
            ("limit=2&before=1".into(), texts([])),
            (format!("limit=2&before={}", u64::MAX), texts([11, 10])),
        ] {
            assert_eq!(shown(&query), wanted, "{query} through {place}");
        }
        let target = format!("/api/v10/channels/{place}/messages?before=x");
        let answer = ask(&chain.near, "GET", &target, "");
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains(r#""before":"#), "{}", answer.body);
    }
}

#[test]
fn slack_bounds_a_history_by_messages_and_by_moments() {
    let chain = Chain::start();
    for place in PLACES {
        let history = |query: &str| {
            let target = format!("/api/conversations.history?channel={place}&{query}");
            let whole = get(&chain.near, &target);
            assert_eq!(whole["ok"], true, "{query} through {place}: {whole}");
            whole["messages"].clone()
        };
        let mut ids = each(&history("limit=100"), "ts");
        ids.reverse();
        assert_eq!(ids.len(), MESSAGES, "through {place}");
        let later = ids[11].split_once('.').unwrap().0.parse::<i64>().unwrap() + 2;
        for (query, wanted) in [
            (format!("latest={}&limit=2", ids[4]), texts([3, 2])),
            // Slack's own way to have one message.
            (
                format!("latest={}&inclusive=true&limit=1", ids[4]),
                texts([4]),
            ),
            // What is new, asked for again and again.
            (format!("oldest={}", ids[8]), texts([11, 10, 9])),
            (format!("oldest={}", ids[11]), texts([])),
            (format!("oldest={}&inclusive=1", ids[9]), texts([11, 10, 9])),
            (
                format!("oldest={}&latest={}&limit=2", ids[2], ids[6]),
                texts([5, 4]),
            ),
            (
                format!("oldest={}&latest={}", ids[2], ids[6]),
                texts([5, 4, 3]),
            ),
            ("oldest=0&limit=2".into(), texts([11, 10])),
            (format!("latest={later}.5&limit=1"), texts([11])),
            (format!("oldest={later}"), texts([])),
            ("latest=1500000000.000100".into(), texts([])),
        ] {
            let shown = each(&history(&query), "text");
            assert_eq!(shown, wanted, "{query} through {place}");
        }
    }
}

/// The texts of a long chain, as a client that shows the oldest first is shown them.
fn long_texts(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let text = |number| format!("t{number:03}");
    numbers.into_iter().map(text).collect()
}

#[test]
fn what_is_too_far_back_is_refused_and_no_end() {
    let chain = Chain::long();
    // Chats has nothing but pages, and of these only so many are looked through.
    for (place, reaches) in [("chats", false), ("discord", true), ("rooms", true)] {
        let mut pages = 0;
        let mut shown = Vec::new();
        let mut cursor = String::new();
        let ended = loop {
            let cursor_said = parameter("cursor", &cursor);
            let target =
                format!("/api/conversations.history?channel={place}&limit=30{cursor_said}");
            let whole = get(&chain.near, &target);
            if whole["ok"] != true {
                break false;
            }
            shown.extend(each(&whole["messages"], "text"));
            pages += 1;
            assert!(pages < 10, "through {place}");
            match whole["response_metadata"]["next_cursor"].as_str() {
                Some(next) if !next.is_empty() => cursor = next.to_owned(),
                _ => break true,
            }
        };
        assert_eq!(ended, reaches, "through {place}: {shown:?}");
        let oldest = if reaches { 0 } else { LONG - 120 };
        let wanted = long_texts((oldest..LONG).rev());
        assert_eq!(shown, wanted, "through {place}");

        let rooms = |query: &str| {
            let target = format!("/chat-messages?room={place}&{query}");
            ask(&chain.near, "GET", &target, "")
        };
        for (query, wanted, refused) in [
            ("%24limit=2&%24sort%5BcreatedAt%5D=1", 0..2, !reaches),
            ("%24limit=50&%24skip=50", 60..110, false),
            ("%24limit=50&%24skip=100", 10..60, false),
            ("%24limit=50&%24skip=120", 0..40, false),
            ("%24limit=50&%24skip=200", 0..0, false),
            ("%24limit=100&%24skip=10", 50..150, false),
            ("%24limit=200", 0..LONG, !reaches),
        ] {
            let answer = rooms(query);
            match refused {
                true => assert_eq!(answer.status, 501, "{query} {place}: {}", answer.body),
                false => {
                    let shown = each(&answer.json(), "text");
                    assert_eq!(shown, long_texts(wanted), "{query} through {place}");
                }
            }
        }

        let page = |page: usize| {
            let target = format!("/api/chats/{place}/messages?page={page}");
            let mut texts = each(&get(&chain.near, &target)["data"], "message");
            texts.sort();
            texts
        };
        assert_eq!(page(6), long_texts(40..60), "through {place}");
        assert_eq!(page(8), long_texts(0..20), "through {place}");
        assert_eq!(page(9), long_texts([]), "through {place}");
    }
}

#[test]
fn what_is_sifted_or_counted_is_looked_for_in_all_of_a_list() {
    let chain = Chain::long();
    let said = chain.far.ask(
        "POST",
        "/chat-messages",
        &[
            ("Authorization", "Bearer b-token"),
            ("Content-Type", "application/json"),
        ],
        r#"{"room":"den","text":"by bob"}"#,
    );
    assert_eq!(said.status, 200, "{}", said.body);
    for (place, reaches) in [("chats", false), ("discord", true), ("glimesh", true)] {
        let rooms = |query: &str| {
            let target = format!("/chat-messages?room={place}&{query}");
            ask(&chain.near, "GET", &target, "")
        };
        let newest = rooms("%24limit=1").json();
        let bob = newest[0]["createdBy"].as_str().unwrap().to_owned();
        let by = format!("%24limit=1&createdBy={bob}");
        assert_eq!(each(&rooms(&by).json(), "text"), ["by bob"], "{place}");
        // There may be more that is further back.
        for query in [
            format!("%24limit=2&createdBy={bob}"),
            format!("%24limit=1&createdBy={bob}&%24sort%5BcreatedAt%5D=1"),
        ] {
            let answer = rooms(&query);
            match reaches {
                true => assert_eq!(each(&answer.json(), "text"), ["by bob"], "{query} {place}"),
                false => assert_eq!(answer.status, 501, "{query} {place}: {}", answer.body),
            }
        }
        let mut counted = rooms("%24limit=1&%24total=true").json();
        assert_eq!(counted["data"].take()[0]["text"], "by bob", "{place}");
        let wanted = match reaches {
            true => json!({ "total": LONG + 1, "limit": 1, "skip": 0, "data": null }),
            false => json!({ "limit": 1, "skip": 0, "data": null }),
        };
        assert_eq!(counted, wanted, "through {place}");
    }
}

/// Follows a list to its end: what `page` shows from a cursor on, and the cursor to go on from.
fn walk(place: &str, page: impl Fn(&str) -> (Vec<String>, Option<String>)) -> Vec<Vec<String>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let (shown, next) = page(&cursor);
        if !shown.is_empty() {
            pages.push(shown);
        }
        assert!(pages.len() <= MESSAGES, "through {place}: {pages:?}");
        match next {
            Some(next) => cursor = next,
            None => return pages,
        }
    }
}

/// A parameter, if there is something to say.
fn parameter(name: &str, value: &str) -> String {
    match value {
        "" => String::new(),
        _ => form_urlencoded::Serializer::new(String::from("&"))
            .append_pair(name, value)
            .finish(),
    }
}

#[test]
fn slack_goes_on_to_the_end_of_a_history() {
    let chain = Chain::start();
    for place in PLACES {
        let history = |query: &str, cursor: &str| {
            let cursor = parameter("cursor", cursor);
            let target = format!("/api/conversations.history?channel={place}&{query}{cursor}");
            let whole = get(&chain.near, &target);
            assert_eq!(whole["ok"], true, "{target}: {whole}");
            let next = whole["response_metadata"]["next_cursor"].as_str().unwrap();
            // Some libraries go by this, and some by the cursor.
            if whole["has_more"] == true {
                assert_ne!(next, "", "{target}: {whole}");
            }
            let next = (!next.is_empty()).then(|| next.to_owned());
            (each(&whole["messages"], "text"), next)
        };
        let pages = walk(place, |cursor| history("limit=5", cursor));
        let wanted = [
            texts([11, 10, 9, 8, 7]),
            texts([6, 5, 4, 3, 2]),
            texts([1, 0]),
        ];
        assert_eq!(pages, wanted, "through {place}");

        let target = format!("/api/conversations.history?channel={place}&limit=100");
        let ids = each(&get(&chain.near, &target)["messages"], "ts");
        let bounds = format!("limit=3&inclusive=1&latest={}&oldest={}", ids[2], ids[8]);
        let pages = walk(place, |cursor| history(&bounds, cursor));
        let wanted = [texts([9, 8, 7]), texts([6, 5, 4]), texts([3])];
        assert_eq!(pages, wanted, "{bounds} through {place}");

        let target = format!("/api/conversations.history?channel={place}&cursor=sabir:nothing");
        let answer = get(&chain.near, &target);
        assert_eq!(answer["error"], "invalid_cursor", "{answer}");
    }
}

#[test]
fn matrix_goes_on_to_the_end_of_a_room() {
    let chain = Chain::start();
    for place in PLACES {
        let pages = walk(place, |from| {
            let from = parameter("from", from);
            let target = format!("/_matrix/client/v3/rooms/{place}/messages?dir=b&limit=5{from}");
            let whole = get(&chain.near, &target);
            let chunk = whole["chunk"].as_array().unwrap().iter();
            let text = |event: &Value| event["content"]["body"].as_str().unwrap().to_owned();
            (
                chunk.map(text).collect(),
                whole["end"].as_str().map(str::to_owned),
            )
        });
        let wanted = [
            texts([11, 10, 9, 8, 7]),
            texts([6, 5, 4, 3, 2]),
            texts([1, 0]),
        ];
        assert_eq!(pages, wanted, "through {place}");
    }
}

#[test]
fn glimesh_goes_on_from_every_message() {
    let chain = Chain::start();
    for place in PLACES {
        let page = |size: &str, way: &str, cursor: &str| {
            let mut arguments = size.to_owned();
            if !cursor.is_empty() {
                arguments.push_str(&format!(", {way}: \"{cursor}\""));
            }
            let query = format!(
                "{{ channel(id: \"{place}\") {{ chatMessages({arguments}) {{ edges {{ cursor node {{ message }} }} }} }} }}"
            );
            let body = serde_json::json!({ "query": query }).to_string();
            let answer = ask(&chain.near, "POST", "/api/graph", &body).json();
            let edges = answer["data"]["channel"]["chatMessages"]["edges"].as_array();
            let edges = edges.unwrap_or_else(|| panic!("{query} through {place}: {answer}"));
            let text = |edge: &Value| edge["node"]["message"].as_str().unwrap().to_owned();
            let edge = match way {
                "before" => edges.first(),
                _ => edges.last(),
            };
            let next = edge.map(|edge| edge["cursor"].as_str().unwrap().to_owned());
            (edges.iter().map(text).collect(), next)
        };
        let back = walk(place, |cursor| page("last: 5", "before", cursor));
        assert_eq!(
            back,
            [texts(7..12), texts(2..7), texts(0..2)],
            "back through {place}"
        );
        let forth = walk(place, |cursor| page("first: 5", "after", cursor));
        assert_eq!(
            forth,
            [texts(0..5), texts(5..10), texts(10..12)],
            "forth through {place}"
        );
    }
}

#[test]
fn a_message_that_is_gone_still_has_its_place() {
    let chain = Chain::start();
    for place in ["home", "slack", "discord"] {
        let channel = format!("/api/v10/channels/{place}/messages");
        let all = get(&chain.near, &channel);
        let (ids, before) = (each(&all, "id"), each(&all, "content"));
        let gone = ask(&chain.near, "DELETE", &format!("{channel}/{}", ids[3]), "");
        assert_eq!(gone.status, 204, "through {place}: {}", gone.body);
        for (query, wanted) in [
            (format!("before={}", ids[3]), &before[4..6]),
            (format!("after={}", ids[3]), &before[1..3]),
        ] {
            if place == "slack" && query.starts_with("after") {
                // Slack does not count from there, and by its second alone the message is not found.
                continue;
            }
            let shown = get(&chain.near, &format!("{channel}?limit=2&{query}"));
            assert_eq!(each(&shown, "content"), wanted, "{query} through {place}");
        }
    }
}

/// What Glimesh shows of a list: the texts and `pageInfo`.
fn connection(sabir: &Sabir, place: &str, arguments: &str) -> (Vec<String>, Value) {
    let query = format!(
        "{{ channel(id: \"{place}\") {{ chatMessages({arguments}) {{ edges {{ node {{ message }} }} \
         pageInfo {{ hasPreviousPage hasNextPage startCursor endCursor }} }} }} }}"
    );
    let body = json!({ "query": query }).to_string();
    let answer = ask(sabir, "POST", "/api/graph", &body).json();
    let list = &answer["data"]["channel"]["chatMessages"];
    let edges = list["edges"].as_array();
    let edges = edges.unwrap_or_else(|| panic!("{query}: {answer}"));
    let text = |edge: &Value| edge["node"]["message"].as_str().unwrap().to_owned();
    (edges.iter().map(text).collect(), list["pageInfo"].clone())
}

#[test]
fn a_list_has_more_only_where_there_is_more() {
    let chain = Chain::start();
    for place in PLACES {
        // A full answer of these may be the last one or not; Sabir as Matrix always says where to go on.
        let unsure = ["rooms", "discord", "matrix"].contains(&place);
        for (arguments, previous, next) in [
            ("last: 100", false, false),
            ("last: 12", unsure, false),
            ("last: 5", true, false),
            ("first: 100", false, false),
            ("first: 12", false, place == "rooms"),
            ("first: 10", false, true),
        ] {
            let (shown, info) = connection(&chain.near, place, arguments);
            let told = (&info["hasPreviousPage"], &info["hasNextPage"]);
            let wanted = (&json!(previous), &json!(next));
            assert_eq!(told, wanted, "{arguments} through {place}: {shown:?}");
        }
        for (limit, more) in [(100, false), (12, unsure), (5, true)] {
            let target = format!("/api/conversations.history?channel={place}&limit={limit}");
            let more_told = get(&chain.near, &target)["has_more"].clone();
            assert_eq!(more_told, more, "{limit} through {place}");
        }
    }
}

#[test]
fn programs_that_go_by_page_info_come_to_an_end() {
    let chain = Chain::start();
    for place in PLACES {
        let follow = |size: &str, way: &str, more: &str, end: &str| {
            walk(place, |cursor| {
                let argument = match cursor {
                    "" => String::new(),
                    _ => format!(", {way}: \"{cursor}\""),
                };
                let (shown, info) = connection(&chain.near, place, &format!("{size}{argument}"));
                let next = (info[more] == true).then(|| {
                    let next = info[end].as_str();
                    next.unwrap_or_else(|| panic!("{argument} through {place}: {info}"))
                });
                (shown, next.map(str::to_owned))
            })
        };
        let forth = follow("first: 5", "after", "hasNextPage", "endCursor");
        let wanted = [texts(0..5), texts(5..10), texts(10..12)];
        assert_eq!(forth, wanted, "forth through {place}");
        let back = follow("last: 5", "before", "hasPreviousPage", "startCursor");
        let wanted = [texts(7..12), texts(2..7), texts(0..2)];
        assert_eq!(back, wanted, "back through {place}");
    }
}

#[test]
fn a_full_answer_that_says_it_is_the_last_one_is() {
    let event = |number: usize| {
        json!({
            "type": "m.room.message", "event_id": format!("$e{number}"), "sender": "@bob:example.org",
            "origin_server_ts": 1_443_787_200_000_usize + 1_000 * (99 - number),
            "content": { "msgtype": "m.text", "body": format!("t{:02}", 99 - number) },
        })
    };
    let chunk: Vec<Value> = (0..100).map(event).collect();
    let body = json!({ "start": "s", "chunk": chunk }).to_string();
    let upstream = Upstream::answering(Box::leak(body.into_boxed_str()));
    let near = Sabir::start(&format!(
        "[[account]]\nname = \"alice\"\ntoken = \"a-token\"\n\
         [upstream.matrix]\ndialect = \"matrix\"\nurl = \"http://{}\"\ncredential = {{ token = \"t\" }}\n\
         [[route]]\nfrom = \"*:den\"\nto = \"matrix:!den:example.org\"\n",
        upstream.address
    ));
    let (shown, info) = connection(&near, "den", "first: 2");
    assert_eq!(shown, texts([0, 1]), "{info}");
    assert_eq!(info["hasNextPage"], true, "{info}");
    let history = get(&near, "/api/conversations.history?channel=den&limit=100");
    assert_eq!(history["has_more"], false, "{history}");
    let whole = get(
        &near,
        "/_matrix/client/v3/rooms/den/messages?dir=b&limit=100",
    );
    assert_eq!(whole["end"], Value::Null, "{whole}");
}
