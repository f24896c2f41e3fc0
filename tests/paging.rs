//! Reading a list part by part, by each dialect's own means: at home, and through an upstream of every dialect.
//!
//! The far Sabir plays the chat services, the near one is under test. What stands in their channels is the same.

mod support;

use serde_json::Value;
use support::running::{Answer, Sabir};

const SECRET: &str = "5555555555555555555555555555555555555555555555555555555555555555";

/// What the near Sabir calls its channels: one of its own, and one for each upstream, by the upstream's dialect.
const PLACES: [&str; 8] = [
    "home", "keyauth", "rooms", "glimesh", "chats", "slack", "discord", "matrix",
];

/// Messages in every channel: `t00`, `t01` and so on.
const MESSAGES: usize = 12;

struct Chain {
    near: Sabir,
    _far: Sabir,
}

impl Chain {
    fn start() -> Chain {
        let people = format!(
            r#"
[[account]]
name = "alice"
email = "alice@example.com"
password = "a-password"
token = "a-token"
may = ["read", "send", "moderate"]

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
        let chain = Chain {
            near: Sabir::start(&config),
            _far: far,
        };
        for number in 0..MESSAGES {
            for (sabir, room) in [(&chain._far, "den"), (&chain.near, "home")] {
                let body = format!(r#"{{"room":"{room}","text":"t{number:02}"}}"#);
                let said = ask(sabir, "POST", "/chat-messages", &body);
                assert_eq!(said.status, 200, "{}", said.body);
            }
        }
        chain
    }
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

#[test]
fn what_is_too_far_back_is_refused_and_no_end() {
    let chain = Chain::start();
    let said: Vec<String> = (MESSAGES..160)
        .map(|number| format!("t{number:03}"))
        .collect();
    for (number, text) in said.iter().enumerate() {
        if number % 50 == 0 {
            // Rooms is asked by seconds.
            std::thread::sleep(std::time::Duration::from_millis(1_100));
        }
        let body = format!(r#"{{"room":"den","text":"{text}"}}"#);
        ask(&chain._far, "POST", "/chat-messages", &body);
    }
    // Chats has nothing but pages, and of these only so many are looked through.
    for (place, reaches) in [("chats", false), ("discord", true), ("rooms", true)] {
        let first = ask(
            &chain.near,
            "GET",
            &format!("/chat-messages?room={place}&%24limit=2&%24sort%5BcreatedAt%5D=1"),
            "",
        );
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
        assert_eq!(
            first.status == 200,
            reaches,
            "through {place}: {}",
            first.body
        );
        if reaches {
            assert_eq!(
                each(&first.json(), "text"),
                texts([0, 1]),
                "through {place}"
            );
        }
        let mut wanted = [texts(0..MESSAGES), said.clone()].concat();
        wanted.reverse();
        let seen = if reaches { wanted.len() } else { 100 };
        assert_eq!(shown, wanted[..seen], "through {place}");
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
