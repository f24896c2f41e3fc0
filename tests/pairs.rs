//! Every pair of client and upstream dialects: what is sent through one Sabir into another comes back as it was.
//!
//! The near Sabir is the one under test; the far one plays the chat service, with `local` behind it. Both speak only
//! over loopback sockets.

mod support;

use serde_json::{Value, json};
use support::running::{Answer, Sabir};

const FAR: &str = r#"
[[account]]
name = "bridge"
email = "bridge@example.com"
password = "far-password"
license = "far-license"
token = "far-token"

[[application]]
name = "far"
keyauth = { ownerid = "farfarfar1", secret = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", version = "1.0" }
socket = { secret = "far-secret" }
"#;

const NEAR: &str = r#"
[[account]]
name = "alice"
email = "alice@example.com"
password = "near-password"
license = "near-license"
token = "near-token"

[[application]]
name = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", version = "1.0" }
"#;

/// How an upstream of each dialect is configured.
fn upstream(dialect: &str, far: &Sabir, credit: bool) -> String {
    let credit = if credit {
        "credit = \"{author.name}: {text}\"\n"
    } else {
        ""
    };
    let rest = match dialect {
        "keyauth" => {
            "credential = { username = \"bridge\", password = \"far-password\" }\n\
             app = { name = \"far\", ownerid = \"farfarfar1\", version = \"1.0\", \
             secret = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" }\n"
        }
        "glimesh" | "slack" | "discord" | "matrix" => "credential = { token = \"far-token\" }\n",
        "socket" => "credential = { secret = \"far-secret\" }\n",
        _ => "credential = { email = \"bridge@example.com\", password = \"far-password\" }\n",
    };
    format!(
        "[upstream.far]\ndialect = \"{dialect}\"\nurl = \"http://{}\"\n{credit}{rest}\n[[route]]\nfrom = \"*:lobby\"\nto = \"far:den\"\n",
        far.public
    )
}

/// A message as a client of any dialect sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    author: String,
    text: String,
    /// Seconds, the precision that every pair carries.
    at: i64,
}

/// A client of one dialect.
struct Client<'s> {
    sabir: &'s Sabir,
    dialect: &'static str,
    session: String,
}

impl<'s> Client<'s> {
    fn new(
        sabir: &'s Sabir,
        dialect: &'static str,
        application: (&str, &str),
        person: (&str, &str),
    ) -> Client<'s> {
        let mut client = Client {
            sabir,
            dialect,
            session: String::new(),
        };
        if dialect == "glimesh" {
            // A token of the operator's: no session is made.
            client.session = person.1.replace("password", "token");
            return client;
        }
        if dialect == "rooms" {
            let body = format!(
                r#"{{"email":"{}@example.com","password":"{}"}}"#,
                person.0, person.1
            );
            let answer = sabir.ask(
                "POST",
                "/authentication",
                &[("Content-Type", "application/json")],
                &body,
            );
            client.session = answer.json()["accessToken"].as_str().unwrap().to_owned();
            return client;
        }
        let (name, ownerid) = application;
        let base = [("name", name), ("ownerid", ownerid)];
        let init = client.call(&[&base[..], &[("type", "init"), ("ver", "1.0")]].concat());
        client.session = init["sessionid"].as_str().unwrap().to_owned();
        let session = client.session.clone();
        let login = [
            ("type", "login"),
            ("username", person.0),
            ("pass", person.1),
            ("sessionid", &session),
        ];
        let login = client.call(&[&base[..], &login[..]].concat());
        assert_eq!(login["success"], true, "{login}");
        client
    }

    fn call(&self, fields: &[(&str, &str)]) -> Value {
        self.sabir.post_form("/api/1.2/", fields).json()
    }

    fn keyauth(&self, fields: &[(&str, &str)]) -> Value {
        let (name, ownerid) = if self.session.is_empty() {
            ("", "")
        } else {
            ("test", "tiQhtH5R88")
        };
        let base = [
            ("name", name),
            ("ownerid", ownerid),
            ("sessionid", &self.session),
        ];
        self.call(&[&base[..], fields].concat())
    }

    fn document(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", &self.bearer()),
        ];
        let answer = self.sabir.ask("POST", "/api/graph", &headers, &body);
        if answer.status == 200 {
            answer.json()
        } else {
            json!({ "errors": [{ "message": answer.body }] })
        }
    }

    fn glimesh_list(&self, channel: &str) -> Vec<Seen> {
        let query = "query ($id: ID) { channel(id: $id) { chatMessages { edges { node { message insertedAt user { username } } } } } }";
        let answer = self.document(query, json!({ "id": channel }));
        let edges = &answer["data"]["channel"]["chatMessages"]["edges"];
        let edges = edges.as_array().unwrap_or_else(|| panic!("{answer}"));
        edges
            .iter()
            .map(|edge| Seen {
                author: edge["node"]["user"]["username"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
                text: edge["node"]["message"].as_str().unwrap().to_owned(),
                at: format!("{}Z", edge["node"]["insertedAt"].as_str().unwrap())
                    .parse::<jiff::Timestamp>()
                    .unwrap()
                    .as_second(),
            })
            .collect()
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.session)
    }

    fn send(&self, channel: &str, text: &str) -> Result<(), String> {
        if self.dialect == "glimesh" {
            let query = "mutation ($id: ID!, $text: String) { createChatMessage(channelId: $id, message: { message: $text }) { id message } }";
            let answer = self.document(query, json!({ "id": channel, "text": text }));
            return match &answer["errors"] {
                Value::Null => Ok(()),
                errors => Err(errors[0]["message"].to_string()),
            };
        }
        if self.dialect == "keyauth" {
            let answer = self.keyauth(&[
                ("type", "chatsend"),
                ("channel", channel),
                ("message", text),
            ]);
            return if answer["success"] == true {
                Ok(())
            } else {
                Err(answer["message"].to_string())
            };
        }
        let body = json!({ "room": channel, "text": text }).to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", &self.bearer()),
        ];
        let answer = self.sabir.ask("POST", "/chat-messages", &headers, &body);
        if answer.status == 200 {
            Ok(())
        } else {
            Err(answer.json()["message"].to_string())
        }
    }

    fn list(&self, channel: &str) -> Vec<Seen> {
        if self.dialect == "glimesh" {
            return self.glimesh_list(channel);
        }
        if self.dialect == "keyauth" {
            let answer = self.keyauth(&[("type", "chatget"), ("channel", channel)]);
            let messages = answer["messages"]
                .as_array()
                .unwrap_or_else(|| panic!("{answer}"));
            return messages
                .iter()
                .map(|message| Seen {
                    author: message["author"].as_str().unwrap().to_owned(),
                    text: message["message"].as_str().unwrap().to_owned(),
                    at: message["timestamp"].as_i64().unwrap(),
                })
                .collect();
        }
        let answer = self.rooms_list(channel);
        let list = answer.json();
        let messages = list.as_array().unwrap_or_else(|| panic!("{}", answer.body));
        messages
            .iter()
            .map(|message| Seen {
                author: message["createdBy"].as_str().unwrap_or_default().to_owned(),
                text: message["text"].as_str().unwrap().to_owned(),
                at: message["createdAt"].as_i64().unwrap() / 1000,
            })
            .collect()
    }

    fn rooms_list(&self, channel: &str) -> Answer {
        let target = format!("/chat-messages?room={channel}");
        self.sabir
            .ask("GET", &target, &[("Authorization", &self.bearer())], "")
    }
}

fn texts() -> Vec<String> {
    vec![
        "hello".to_owned(),
        "👋🏽 family 👩‍👩‍👧‍👦".to_owned(),
        "مرحبا بالعالم שלום".to_owned(),
        "he said \"yes\" & 'no' \\ / ".trim_end().to_owned(),
        "two\nlines\tand a tab".to_owned(),
        "<b>bold</b> <3".to_owned(),
        "100% + 1 = 2&3; a:b: c".to_owned(),
    ]
}

fn near(dialect: &str, far: &Sabir, credit: bool) -> Sabir {
    Sabir::start(&format!("{NEAR}{}", upstream(dialect, far, credit)))
}

fn check_pair(client: &'static str, upstream: &'static str) {
    let far = Sabir::start(FAR);
    let near = near(upstream, &far, true);
    let alice = Client::new(
        &near,
        client,
        ("test", "tiQhtH5R88"),
        ("alice", "near-password"),
    );
    for text in texts() {
        alice.send("lobby", &text).unwrap();
    }
    let seen = alice.list("lobby");
    let got: Vec<&str> = seen.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(got, texts(), "what comes back is what was sent");
    if client == "keyauth" {
        assert!(
            seen.iter().all(|message| message.author == "alice"),
            "{seen:?}"
        );
    } else {
        let same = seen.iter().all(|message| message.author == seen[0].author);
        assert!(same && !seen[0].author.is_empty(), "one author: {seen:?}");
    }
    // On the far side each text is Sabir's, and says whose it is.
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    let there = bridge.list("den");
    let credited: Vec<String> = texts()
        .iter()
        .map(|text| format!("alice: {text}"))
        .collect();
    assert_eq!(
        there
            .iter()
            .map(|message| message.text.clone())
            .collect::<Vec<_>>(),
        credited
    );
    assert!(there.iter().all(|message| message.author == "bridge"));
    let times = |list: &[Seen]| list.iter().map(|message| message.at).collect::<Vec<_>>();
    assert_eq!(
        times(&seen),
        times(&there),
        "time is kept to the second, which both sides carry"
    );
}

#[test]
fn keyauth_into_keyauth() {
    check_pair("keyauth", "keyauth");
}

#[test]
fn keyauth_into_rooms() {
    check_pair("keyauth", "rooms");
}

#[test]
fn rooms_into_keyauth() {
    check_pair("rooms", "keyauth");
}

#[test]
fn rooms_into_rooms() {
    check_pair("rooms", "rooms");
}

#[test]
fn glimesh_into_glimesh() {
    check_pair("glimesh", "glimesh");
}

#[test]
fn glimesh_into_keyauth_and_back() {
    check_pair("glimesh", "keyauth");
    check_pair("keyauth", "glimesh");
}

#[test]
fn glimesh_into_rooms_and_back() {
    check_pair("glimesh", "rooms");
    check_pair("rooms", "glimesh");
}

#[test]
fn who_is_known_by_an_id_alone_is_shown_by_it() {
    // Rooms tells nothing else of an author who is not ourselves.
    let far = Sabir::start(&format!(
        "{FAR}\n[[account]]\nname = \"carol\"\nemail = \"carol@example.com\"\npassword = \"far-password\"\n"
    ));
    let carol = Client::new(&far, "rooms", ("", ""), ("carol", "far-password"));
    carol.send("den", "hello").unwrap();
    let id = &carol.list("den")[0].author;
    let near = near("rooms", &far, false);
    for client in ["keyauth", "rooms", "glimesh"] {
        let alice = Client::new(
            &near,
            client,
            ("test", "tiQhtH5R88"),
            ("alice", "near-password"),
        );
        let author = &alice.list("lobby")[0].author;
        assert!(
            author == id || client == "rooms",
            "{author} is no {id} in {client}"
        );
    }
}

#[test]
fn all_messages_of_one_request_arrive_once_and_in_order() {
    let send = |alias: &str| {
        format!(
            "{alias}: createChatMessage(channelId: \"lobby\", message: {{ message: \"{alias}\" }}) {{ id }}"
        )
    };
    let document = format!("mutation {{ {} {} {} }}", send("a"), send("b"), send("c"));
    let one = |alias| serde_json::json!({ "query": format!("mutation {{ {} }}", send(alias)) });
    let batch = serde_json::json!([one("d"), one("e")]).to_string();
    for upstream in [
        "keyauth", "rooms", "glimesh", "chats", "socket", "slack", "discord", "matrix",
    ] {
        let far = Sabir::start(FAR);
        let near = near(upstream, &far, false);
        for (kind, body) in [
            ("application/graphql", &document),
            ("application/json", &batch),
        ] {
            let headers = [
                ("Authorization", "Bearer near-token"),
                ("Content-Type", kind),
                ("Idempotency-Key", kind),
            ];
            let answer = near.ask("POST", "/api/graph", &headers, body);
            let ids = answer.body.matches("\"id\":\"").count();
            assert_eq!(
                ids,
                if *body == batch { 2 } else { 3 },
                "{upstream}: {}",
                answer.body
            );
        }
        let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
        let there = bridge.list("den");
        // An event's text stands within its data.
        let mut sent = there.iter().zip(["a", "b", "c", "d", "e"]);
        let right = sent
            .all(|(seen, text)| seen.text == text || seen.text.contains(&format!("\"{text}\"")));
        assert!(right && there.len() == 5, "{upstream}: {there:?}");
    }
}

#[test]
fn a_reply_is_to_the_message_that_the_client_means() {
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    // The ids of one side are not by chance those of the other.
    bridge.send("elsewhere", "a number of its own").unwrap();
    for upstream in ["chats", "slack", "discord", "matrix", "local"] {
        let near = match upstream {
            "local" => Sabir::start(NEAR),
            upstream => near(upstream, &far, false),
        };
        let headers = [
            ("Authorization", "Bearer near-token"),
            ("Content-Type", "application/json"),
        ];
        let target = "/api/chats/lobby/messages";
        let list = || near.ask("GET", target, &headers, "").json()["data"].clone();
        for text in ["first", "second"] {
            let body = serde_json::json!({ "message": text }).to_string();
            assert_eq!(
                near.ask("POST", target, &headers, &body).status,
                200,
                "{upstream}"
            );
        }
        let parent = list()[1]["id"].clone();
        let body = serde_json::json!({ "message": "reply", "reply": parent }).to_string();
        let answer = near.ask("POST", target, &headers, &body);
        assert_eq!(answer.status, 200, "{upstream}: {}", answer.body);
        let shown = list();
        assert_eq!(shown[0]["message"], "reply", "{upstream}: {shown}");
        assert_eq!(shown[0]["reply"], parent, "{upstream}: {shown}");
        let body = serde_json::json!({ "message": "reply", "reply": 999_999 }).to_string();
        let answer = near.ask("POST", target, &headers, &body);
        assert_eq!(answer.status, 422, "{upstream}: {}", answer.body);
        assert_eq!(list(), shown, "{upstream}: nothing was sent");
    }
}

#[test]
fn who_took_a_message_away_is_told_whatever_the_upstream_tells() {
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    for upstream in ["glimesh", "slack", "discord", "matrix"] {
        let may = NEAR.replace(
            "[[application]]",
            "may = [\"read\", \"send\", \"moderate\"]\n[[application]]",
        );
        let near = Sabir::start(&format!("{may}{}", self::upstream(upstream, &far, false)));
        let alice = Client::new(&near, "glimesh", ("", ""), ("alice", "near-password"));
        let none = serde_json::json!({});
        let sent = alice.document("mutation { createChatMessage(channelId: \"lobby\", message: { message: \"hello\" }) { id } }", none.clone());
        let id = sent["data"]["createChatMessage"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{upstream}: {sent}"));
        let query = format!(
            "mutation {{ deleteChatMessage(channelId: \"lobby\", messageId: {id}) {{ action moderator {{ username }} user {{ id username }} insertedAt }} }}"
        );
        let told = alice.document(&query, none);
        let done = &told["data"]["deleteChatMessage"];
        assert_eq!(done["action"], "delete_message", "{upstream}: {told}");
        let moderator = &done["moderator"]["username"];
        assert!(
            moderator == "alice" || upstream == "glimesh",
            "{upstream}: {told}"
        );
        assert!(done["user"]["username"].is_string(), "{upstream}: {told}");
        assert_eq!(bridge.list("den"), [], "{upstream}");
    }
}

#[test]
fn what_is_taken_away_is_told_by_the_clients_own_id() {
    const HEADERS: [(&str, &str); 2] = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
    ];
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    // The ids of one side are not by chance those of the other.
    bridge.send("elsewhere", "a number of its own").unwrap();
    let may = NEAR.replace(
        "[[application]]",
        "may = [\"read\", \"send\", \"moderate\"]\n[[application]]",
    );
    for upstream in ["local", "glimesh", "slack", "discord", "matrix"] {
        let near = match upstream {
            "local" => Sabir::start(&may),
            upstream => Sabir::start(&format!("{may}{}", self::upstream(upstream, &far, false))),
        };
        let ask = |method, target: &str, body: &str| {
            let answer = near.ask(method, target, &HEADERS, body);
            assert_eq!(answer.status, 200, "{upstream}: {target}: {}", answer.body);
            answer.json()
        };
        let send = |key: &str| {
            let target = format!("/_matrix/client/v3/rooms/lobby/send/m.room.message/{key}");
            ask("PUT", &target, r#"{"msgtype":"m.text","body":"hello"}"#)["event_id"].clone()
        };
        send("k1");
        let id = send("k2");
        let target = format!(
            "/_matrix/client/v3/rooms/lobby/redact/{}/k3",
            id.as_str().unwrap()
        );
        assert_eq!(ask("PUT", &target, "{}")["event_id"], id, "{upstream}");

        let list = ask("GET", "/api/conversations.history?channel=lobby", "");
        let (ts, channel) = (&list["messages"][0]["ts"], "lobby");
        let body = serde_json::json!({ "channel": channel, "ts": ts }).to_string();
        let told = ask("POST", "/api/chat.delete", &body);
        assert_eq!(told["ok"], true, "{upstream}: {told}");
        assert_eq!(&told["ts"], ts, "{upstream}: {told}");
    }
}

#[test]
fn glimesh_reads_channels_of_every_upstream_that_shows_them() {
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    bridge.send("den", "hello").unwrap();
    for upstream in [
        "keyauth", "rooms", "glimesh", "chats", "slack", "discord", "matrix",
    ] {
        let near = near(upstream, &far, false);
        let alice = Client::new(&near, "glimesh", ("", ""), ("alice", "near-password"));
        let seen = alice.list("lobby");
        assert_eq!(seen.len(), 1, "{upstream}");
        assert_eq!(seen[0].text, "hello", "{upstream}");
    }
}

#[test]
fn an_upstream_that_lacks_the_channel_is_told_by_the_clients_name_for_it() {
    let far = Sabir::start(&format!(
        "{FAR}\n[[route]]\nfrom = \"*:den\"\nto = \"local:den\"\n"
    ));
    let nowhere = upstream("rooms", &far, false).replace("far:den", "far:nowhere");
    let near = Sabir::start(&format!("{NEAR}{nowhere}"));
    let alice = Client::new(
        &near,
        "keyauth",
        ("test", "tiQhtH5R88"),
        ("alice", "near-password"),
    );
    assert_eq!(
        alice.list("lobby"),
        [],
        "an unknown channel is an empty one"
    );
    let alice = Client::new(&near, "rooms", ("", ""), ("alice", "near-password"));
    let told = alice.rooms_list("lobby");
    assert_eq!(told.status, 404, "{}", told.body);
    assert!(
        told.body.contains("'lobby'") && !told.body.contains("nowhere"),
        "{}",
        told.body
    );
}

#[test]
fn who_is_called_the_same_at_an_upstream_is_somebody_else() {
    let far = Sabir::start(&format!(
        "{FAR}\n[[account]]\nname = \"alice\"\nemail = \"alice@example.com\"\npassword = \"far-password\"\n"
    ));
    let theirs = Client::new(&far, "rooms", ("", ""), ("alice", "far-password"));
    theirs.send("den", "hello").unwrap();
    let may = NEAR.replace(
        "[[application]]",
        "may = [\"read\", \"send\", \"moderate\"]\n[[application]]",
    );
    for upstream in ["keyauth", "rooms", "glimesh"] {
        let config = self::upstream(upstream, &far, false);
        let near = Sabir::start(&format!(
            "{may}{config}\n[[route]]\nfrom = \"*:home\"\nto = \"local:home\"\n"
        ));
        let alice = Client::new(&near, "glimesh", ("", ""), ("alice", "near-password"));
        alice.send("home", "hello").unwrap();
        let none = serde_json::json!({});
        let author = |channel: &str| {
            let query = format!(
                "{{ channel(id: \"{channel}\") {{ chatMessages {{ edges {{ node {{ user {{ id }} }} }} }} }} }}"
            );
            let told = alice.document(&query, none.clone());
            let id =
                told["data"]["channel"]["chatMessages"]["edges"][0]["node"]["user"]["id"].as_str();
            id.unwrap_or_else(|| panic!("{upstream}: {told}"))
                .to_owned()
        };
        let (here, there) = (author("home"), author("lobby"));
        assert_ne!(here, there, "{upstream}");
        for query in [
            format!("{{ user(id: {there}) {{ id }} }}"),
            format!("mutation {{ banUser(channelId: \"home\", userId: {there}) {{ action }} }}"),
        ] {
            let told = alice.document(&query, none.clone());
            assert!(told["errors"].is_array(), "{upstream}: {query}: {told}");
        }
        let told = alice.document(
            &format!("{{ user(id: {here}) {{ username }} }}"),
            none.clone(),
        );
        assert_eq!(
            told["data"]["user"]["username"], "alice",
            "{upstream}: {told}"
        );
    }
}

#[test]
fn a_batch_that_comes_again_is_the_same_whatever_could_be_read_before() {
    let far = Sabir::start(FAR);
    let at = far.public;
    let near = Sabir::start(&format!(
        "{NEAR}{}\n[[route]]\nfrom = \"*:home\"\nto = \"local:home\"\n",
        upstream("rooms", &far, false)
    ));
    let send = "mutation { createChatMessage(channelId: \"home\", message: { message: \"once\" }) { id } }";
    let read = "{ channel(id: \"lobby\") { chatMessages { edges { node { message } } } } }";
    let [read, send] = [read, send].map(|query| serde_json::json!({ "query": query }));
    let batch = serde_json::json!([read, send, send]).to_string();
    let headers = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
    ];
    // Without the upstream there is nothing below the channel to be asked for.
    drop(far);
    let first = near.ask("POST", "/api/graph", &headers, &batch).json();
    let far = Sabir::start_at(at, FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    bridge.send("den", "hello").unwrap();
    let again = near.ask("POST", "/api/graph", &headers, &batch).json();
    assert_eq!(first[1], again[1]);
    assert_eq!(first[2], again[2]);
    let alice = Client::new(&near, "rooms", ("", ""), ("alice", "near-password"));
    assert_eq!(alice.list("home").len(), 2, "{first} {again}");
}

/// The texts that a list shows, oldest first.
fn shown(answer: &Answer, list: &str, text: &str) -> Vec<String> {
    let whole = answer.json();
    let list = whole.pointer(list).and_then(Value::as_array);
    let list = list.unwrap_or_else(|| panic!("{}", answer.body));
    let text = |one: &Value| one.pointer(text).and_then(Value::as_str).map(str::to_owned);
    let texts: Option<Vec<String>> = list.iter().map(text).collect();
    let mut texts = texts.unwrap_or_else(|| panic!("{}", answer.body));
    texts.sort();
    texts
}

#[test]
fn every_client_sees_the_part_of_a_list_that_it_asked_for() {
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    for number in 0..45 {
        bridge.send("den", &format!("t{number:02}")).unwrap();
    }
    for upstream in ["keyauth", "rooms", "glimesh", "chats"] {
        let near = near(upstream, &far, false);
        let bearer = [("Authorization", "Bearer near-token")];
        let glimesh = |arguments: &str| {
            let query = format!(
                "{{ channel(id: \"lobby\") {{ chatMessages({arguments}) {{ edges {{ node {{ message }} }} }} }} }}"
            );
            let answer = near.ask("POST", "/api/graph", &bearer, &query);
            shown(&answer, "/data/channel/chatMessages/edges", "/node/message")
        };
        let rooms = |query: &str| {
            let target = format!("/chat-messages?room=lobby&{query}");
            shown(&near.ask("GET", &target, &bearer, ""), "", "/text")
        };
        let chats = |page: i64| {
            let target = format!("/api/chats/lobby/messages?page={page}");
            shown(&near.ask("GET", &target, &bearer, ""), "/data", "/message")
        };
        let part =
            |from: i64, to: i64| (from..to).map(|at| format!("t{at:02}")).collect::<Vec<_>>();
        for (got, wanted) in [
            (glimesh("last: 10"), part(35, 45)),
            (glimesh("first: 5"), part(0, 5)),
            (rooms("%24limit=10"), part(35, 45)),
            (rooms("%24limit=10&%24skip=30"), part(5, 15)),
            (rooms("%24limit=10&%24skip=40"), part(0, 5)),
            (
                rooms("%24limit=3&%24skip=2&%24sort%5BcreatedAt%5D=1"),
                part(2, 5),
            ),
            (chats(1), part(25, 45)),
            (chats(2), part(5, 25)),
            (chats(3), part(0, 5)),
            (chats(4), part(0, 0)),
        ] {
            assert_eq!(got, wanted, "through {upstream}");
        }
        let list = near.ask("GET", "/chat-messages?room=lobby&%24limit=1", &bearer, "");
        let author = list.json()[0]["createdBy"].as_str().unwrap().to_owned();
        let by = |author: &str| rooms(&format!("%24limit=3&createdBy={author}"));
        assert_eq!(by(&author), part(42, 45), "through {upstream}");
        assert_eq!(by("nobody"), part(0, 0), "through {upstream}");
    }
}

#[test]
fn an_edit_is_told_as_one_and_nothing_else_is() {
    const BEARER: [(&str, &str); 2] = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
    ];
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    bridge.send("den", "as it was").unwrap();
    let route = "[[route]]\nfrom = \"*:home\"\nto = \"local:home\"\n";
    for upstream in ["rooms", "chats", "slack", "discord", "matrix", "glimesh"] {
        let near = Sabir::start(&format!(
            "{NEAR}{}{route}",
            self::upstream(upstream, &far, false)
        ));
        let ask = |method, target: &str, body| near.ask(method, target, &BEARER, body).json();
        let list = |channel: &str| {
            let discord = ask("GET", &format!("/api/v10/channels/{channel}/messages"), "");
            let slack = ask(
                "GET",
                &format!("/api/conversations.history?channel={channel}"),
                "",
            );
            (discord, slack)
        };
        let (discord, slack) = list("lobby");
        assert_eq!(
            discord[0]["edited_timestamp"],
            Value::Null,
            "{upstream}: {discord}"
        );
        assert_eq!(discord[0]["content"], "as it was", "{upstream}: {discord}");
        assert_eq!(
            slack["messages"][0]["edited"],
            Value::Null,
            "{upstream}: {slack}"
        );
        let sent = ask(
            "POST",
            "/api/v10/channels/home/messages",
            r#"{"content":"a"}"#,
        );
        assert_eq!(sent["edited_timestamp"], Value::Null, "{sent}");
        let one = format!(
            "/api/v10/channels/home/messages/{}",
            sent["id"].as_str().unwrap()
        );
        let edited = ask("PATCH", &one, r#"{"content":"b"}"#);
        let told = |message: &Value| message["edited_timestamp"].as_str().map(str::to_owned);
        assert!(
            told(&edited).as_deref() > edited["timestamp"].as_str(),
            "{edited}"
        );
        let (discord, slack) = list("home");
        assert_eq!((&discord[0], &ask("GET", &one, "")), (&edited, &edited));
        assert!(slack["messages"][0]["edited"]["ts"].is_string(), "{slack}");
    }
}

#[test]
fn an_edit_over_an_upstream_is_answered_by_the_whole_message() {
    const BEARER: [(&str, &str); 2] = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
    ];
    let far = Sabir::start(&format!(
        "{FAR}\n[[account]]\nname = \"alice\"\ntoken = \"alice-far-token\"\n"
    ));
    let own = NEAR.replace(
        "token = \"near-token\"",
        "token = \"near-token\"\nas = { far = { token = \"alice-far-token\" } }",
    );
    for upstream in ["slack", "discord", "matrix"] {
        let near = Sabir::start(&format!("{own}{}", self::upstream(upstream, &far, false)));
        let ask = |method, target: &str, body| near.ask(method, target, &BEARER, body).json();
        let all = "/api/v10/channels/lobby/messages";
        let sent = ask("POST", all, r#"{"content":"as it was"}"#);
        let one = format!("{all}/{}", sent["id"].as_str().unwrap());
        let mut edited = ask("PATCH", &one, r#"{"content":"as it is"}"#);
        let moment = edited["edited_timestamp"].take();
        assert!(
            moment.as_str() > sent["timestamp"].as_str(),
            "{upstream}: {moment} {sent}"
        );
        let mut wanted = sent.clone();
        wanted["content"] = "as it is".into();
        assert_eq!(edited, wanted, "{upstream}");
        assert_eq!(ask("GET", all, "")[0]["content"], "as it is", "{upstream}");
    }
}

#[test]
fn who_sent_a_message_may_change_it_where_one_credential_speaks_for_all() {
    let people = format!("{NEAR}\n[[account]]\nname = \"bob\"\ntoken = \"bob-token\"\n");
    for upstream in ["slack", "discord", "matrix"] {
        let far = Sabir::start(FAR);
        let config = self::upstream(upstream, &far, true);
        let mut near = Sabir::start(&format!("{people}{config}"));
        let ask = |near: &Sabir, token: &str, method: &str, one: &str, body: &str| {
            let bearer = format!("Bearer {token}");
            let headers = [
                ("Authorization", &*bearer),
                ("Content-Type", "application/json"),
            ];
            near.ask(
                method,
                &format!("/api/v10/channels/lobby/messages{one}"),
                &headers,
                body,
            )
        };
        let send = |near: &Sabir, text: &str| {
            let body = format!(r#"{{"content":"{text}"}}"#);
            let sent = ask(near, "bob-token", "POST", "", &body).json();
            format!("/{}", sent["id"].as_str().unwrap())
        };
        let (first, second) = (send(&near, "first"), send(&near, "second"));
        near.restart();
        let change = r#"{"content":"changed"}"#;
        for (method, body) in [("PATCH", change), ("DELETE", "")] {
            let answer = ask(&near, "near-token", method, &first, body);
            assert_eq!(answer.status, 403, "{upstream}: {}", answer.body);
        }
        let edited = ask(&near, "bob-token", "PATCH", &first, change);
        assert_eq!(
            edited.json()["content"],
            "changed",
            "{upstream}: {}",
            edited.body
        );
        let gone = ask(&near, "bob-token", "DELETE", &second, "");
        assert_eq!(gone.status, 204, "{upstream}: {}", gone.body);
        let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
        bridge.send("den", "the bridge's own").unwrap();
        let there: Vec<_> = bridge
            .list("den")
            .into_iter()
            .map(|seen| seen.text)
            .collect();
        assert_eq!(there, ["bob: changed", "the bridge's own"], "{upstream}");
        // What was not sent through Sabir is nobody's here.
        let list = ask(&near, "bob-token", "GET", "", "").json();
        let other = format!("/{}", list[0]["id"].as_str().unwrap());
        let answer = ask(&near, "bob-token", "DELETE", &other, "");
        assert_eq!(answer.status, 403, "{upstream}: {}", answer.body);
    }
}

#[test]
fn an_edited_text_is_held_to_the_limits_of_a_sent_one() {
    const BEARER: [(&str, &str); 2] = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
    ];
    let far = Sabir::start(FAR);
    let route = "[[route]]\nfrom = \"*:home\"\nto = \"local:home\"\n";
    let config = upstream("discord", &far, true);
    let near = Sabir::start(&format!("{NEAR}{config}{route}"));
    // The upstream has room for 2000 characters and needs some for the credit.
    for (channel, most) in [("home", 2000), ("lobby", 2000 - "alice: ".len())] {
        let all = format!("/api/v10/channels/{channel}/messages");
        let sent = near.ask("POST", &all, &BEARER, r#"{"content":"a"}"#).json();
        let one = format!("{all}/{}", sent["id"].as_str().unwrap());
        for (length, status) in [(most, 200), (most + 1, 400)] {
            let body = format!(r#"{{"content":"{}"}}"#, "x".repeat(length));
            let answer = near.ask("PATCH", &one, &BEARER, &body);
            assert_eq!(answer.status, status, "{channel}: {}", answer.body);
        }
        let list = near.ask("GET", &all, &BEARER, "").json();
        assert_eq!(
            list[0]["content"].as_str().unwrap().len(),
            most,
            "{channel}"
        );
    }
}

#[test]
fn who_counts_a_list_is_told_how_long_it_is() {
    let far = Sabir::start(FAR);
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    for number in 0..45 {
        bridge.send("den", &format!("t{number:02}")).unwrap();
    }
    let upstreams = [
        "keyauth", "rooms", "glimesh", "chats", "slack", "discord", "matrix",
    ];
    for upstream in upstreams {
        let near = near(upstream, &far, false);
        let ask = |query: &str| {
            let target = format!("/chat-messages?{query}");
            let bearer = [("Authorization", "Bearer near-token")];
            near.ask("GET", &target, &bearer, "").json()
        };
        let nothing = json!({ "total": 45, "limit": 0, "skip": 0, "data": [] });
        assert_eq!(
            ask("room=lobby&%24limit=0&%24total=true"),
            nothing,
            "{upstream}"
        );
        assert_eq!(ask("room=lobby&%24limit=0"), nothing, "{upstream}");
        assert_eq!(ask("%24limit=0"), nothing, "everywhere, {upstream}");
        let mut part = ask("room=lobby&%24limit=3&%24skip=5&%24total=true");
        let texts: Vec<Value> = part["data"]
            .take()
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["text"].clone())
            .collect();
        assert_eq!(texts, ["t37", "t38", "t39"], "{upstream}");
        let around = json!({ "total": 45, "limit": 3, "skip": 5, "data": null });
        assert_eq!(part, around, "{upstream}");
    }
}

#[test]
fn who_has_seen_a_message_is_kept_beside_an_upstream_that_has_no_such_mark() {
    const BEARER: [(&str, &str); 2] = [
        ("Authorization", "Bearer near-token"),
        ("Content-Type", "application/json"),
    ];
    let far = Sabir::start(FAR);
    for upstream in ["keyauth", "glimesh", "chats", "slack", "discord", "matrix"] {
        let mut near = near(upstream, &far, false);
        let send = |text: &str| {
            let body = format!(r#"{{"room":"lobby","text":"{upstream} {text}"}}"#);
            let sent = near.ask("POST", "/chat-messages", &BEARER, &body).json();
            format!("/chat-messages/{}", sent["id"].as_str().unwrap())
        };
        let (seen, unseen) = (send("seen"), send("unseen"));
        let mark = |of: &str, seen: &str| {
            let answer = near.ask("PATCH", of, &BEARER, seen).json();
            answer["seenBy"].clone()
        };
        assert_eq!(mark(&unseen, r#"{"seen":false}"#), json!([]), "{upstream}");
        assert_eq!(
            mark(&seen, r#"{"seen":true}"#),
            json!(["alice"]),
            "{upstream}"
        );
        let check = |near: &Sabir| {
            let seers =
                |target: &str| near.ask("GET", target, &BEARER, "").json()["seenBy"].clone();
            assert_eq!(seers(&seen), json!(["alice"]), "{upstream}");
            assert_eq!(seers(&unseen), json!([]), "{upstream}");
            let list = near
                .ask("GET", "/chat-messages?room=lobby", &BEARER, "")
                .json();
            let list = list.as_array().unwrap().iter();
            let of_upstream =
                list.filter(|one| one["text"].as_str().unwrap().starts_with(upstream));
            let seers: Vec<_> = of_upstream.map(|one| one["seenBy"].clone()).collect();
            assert_eq!(seers, [json!(["alice"]), json!([])], "{upstream}");
        };
        check(&near);
        near.restart();
        check(&near);
    }
}

#[test]
fn a_moment_that_is_read_in_milliseconds_has_all_of_its_millisecond() {
    let sabir = Sabir::start(NEAR);
    let alice = Client::new(&sabir, "rooms", ("", ""), ("alice", "near-password"));
    for text in ["one", "two", "three"] {
        alice.send("lobby", text).unwrap();
    }
    let bearer = [("Authorization", &*alice.bearer())];
    let all = alice.rooms_list("lobby").json();
    let moment = |at: usize| all[at]["createdAt"].as_i64().unwrap();
    for at in 0..3 {
        for (bound, within) in [
            ("lte", [true, true, false]),
            ("lt", [true, false, false]),
            ("gte", [false, true, true]),
            ("gt", [false, false, true]),
        ] {
            let target = format!(
                "/chat-messages?room=lobby&createdAt%5B%24{bound}%5D={}",
                moment(at)
            );
            let shown = sabir.ask("GET", &target, &bearer, "").json();
            let shown = shown.as_array().unwrap();
            let wanted = (0..3).filter(|other| {
                within[usize::from(moment(*other) >= moment(at))
                    + usize::from(moment(*other) > moment(at))]
            });
            let wanted: Vec<_> = wanted.map(|other| &all[other]).collect();
            assert_eq!(shown.iter().collect::<Vec<_>>(), wanted, "{bound} {at}");
        }
    }
}

#[test]
fn a_cursor_of_no_list_is_refused() {
    let far = Sabir::start(FAR);
    let near = near("rooms", &far, false);
    let query = "{ channel(id: \"lobby\") { chatMessages(last: 5, before: \"YXJyYXljb25uZWN0aW9uOjU=\") { edges { cursor } } } }";
    let bearer = [("Authorization", "Bearer near-token")];
    let answer = near.ask("POST", "/api/graph", &bearer, query);
    assert!(answer.body.contains("\"errors\":["), "{}", answer.body);
}

#[test]
fn two_thousand_characters_pass_where_nothing_is_added() {
    for upstream in ["keyauth", "rooms"] {
        let far = Sabir::start(FAR);
        let near = near(upstream, &far, false);
        for client in ["keyauth", "rooms"] {
            let alice = Client::new(
                &near,
                client,
                ("test", "tiQhtH5R88"),
                ("alice", "near-password"),
            );
            let text = "x".repeat(2_000);
            alice.send("lobby", &text).unwrap();
            assert_eq!(
                alice.list("lobby").last().unwrap().text,
                text,
                "{client} into {upstream}"
            );
        }
    }
}

#[test]
fn a_text_that_grows_past_the_upstreams_limit_is_refused_and_not_sent() {
    let far = Sabir::start(FAR);
    let near = near("keyauth", &far, true);
    for client in ["keyauth", "rooms"] {
        let alice = Client::new(
            &near,
            client,
            ("test", "tiQhtH5R88"),
            ("alice", "near-password"),
        );
        let refused = alice.send("lobby", &"x".repeat(2_000)).unwrap_err();
        assert!(refused.contains("long"), "{refused}");
    }
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    assert_eq!(bridge.list("den"), []);
}

#[test]
fn rooms_keeps_milliseconds_and_ids_through_rooms() {
    let far = Sabir::start(FAR);
    let near = near("rooms", &far, true);
    let alice = Client::new(&near, "rooms", ("", ""), ("alice", "near-password"));
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", &*alice.bearer()),
    ];
    let body = r#"{"room":"lobby","text":"then","createdAt":1564661697125}"#;
    let sent = near.ask("POST", "/chat-messages", &headers, body).json();
    assert_eq!(sent["createdAt"], 1_564_661_697_125_i64, "{sent}");
    let id = sent["id"].as_str().unwrap();
    let got = near
        .ask(
            "GET",
            &format!("/chat-messages/{id}"),
            &[("Authorization", &alice.bearer())],
            "",
        )
        .json();
    assert_eq!(
        (&got["id"], &got["text"], &got["room"]),
        (&sent["id"], &sent["text"], &sent["room"]),
        "{got}"
    );
    let list = alice.rooms_list("lobby").json();
    assert_eq!(list[0]["id"], sent["id"], "an id is for ever: {list}");
}

#[test]
fn an_upstream_session_that_was_lost_is_renewed() {
    let far = Sabir::start(FAR);
    let at = far.public;
    let near = near("keyauth", &far, true);
    let alice = Client::new(
        &near,
        "keyauth",
        ("test", "tiQhtH5R88"),
        ("alice", "near-password"),
    );
    alice.send("lobby", "before").unwrap();
    // A service that starts with nothing knows no session any more.
    drop(far);
    let far = Sabir::start_at(at, FAR);
    alice.send("lobby", "after").unwrap();
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    let texts: Vec<String> = bridge
        .list("den")
        .into_iter()
        .map(|message| message.text)
        .collect();
    assert_eq!(texts, ["alice: after"], "sent once, and not lost");
}

#[test]
fn a_reply_whose_seal_is_wrong_is_not_believed() {
    let far = Sabir::start(FAR);
    let config = upstream("keyauth", &far, true).replace("aaaaaaaa", "cccccccc");
    let near = Sabir::start(&format!("{NEAR}{config}"));
    let alice = Client::new(
        &near,
        "keyauth",
        ("test", "tiQhtH5R88"),
        ("alice", "near-password"),
    );
    assert!(alice.send("lobby", "hello").is_err());
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    assert_eq!(bridge.list("den"), []);
}

#[test]
fn an_application_that_reads_times_as_text_gets_them_as_text() {
    let sabir = Sabir::start(&NEAR.replace(
        "version = \"1.0\"",
        "version = \"1.0\", timestamp = \"text\"",
    ));
    let alice = Client::new(
        &sabir,
        "keyauth",
        ("test", "tiQhtH5R88"),
        ("alice", "near-password"),
    );
    alice.send("lobby", "hello").unwrap();
    let list = alice.keyauth(&[("type", "chatget"), ("channel", "lobby")]);
    assert!(list["messages"][0]["timestamp"].is_string(), "{list}");
}

#[test]
fn a_callers_own_credential_speaks_for_it_and_no_credit_is_put_on() {
    let far = Sabir::start(&format!(
        "{FAR}\n[[account]]\nname = \"alice-there\"\ntoken = \"alice-far-token\"\n"
    ));
    let own = NEAR.replace(
        "token = \"near-token\"",
        "token = \"near-token\"\nas = { far = { token = \"alice-far-token\" } }",
    );
    let near = Sabir::start(&format!("{own}{}", upstream("rooms", &far, true)));
    let alice = Client::new(&near, "rooms", ("", ""), ("alice", "near-password"));
    alice.send("lobby", "hello").unwrap();
    let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
    let there = bridge.list("den");
    assert_eq!(
        (there[0].author.as_str(), there[0].text.as_str()),
        ("alice-there", "hello")
    );
    // Nor is one taken off that looks like it.
    alice.send("lobby", "note: buy milk").unwrap();
    assert_eq!(alice.list("lobby")[1].text, "note: buy milk");
}

#[test]
fn a_callers_own_password_is_signed_in_with_and_again_when_it_must_be() {
    let people = format!(
        "{FAR}\n[[account]]\nname = \"alice-there\"\nemail = \"alice@there.example\"\npassword = \"alice-far-password\"\n"
    );
    for (dialect, name) in [
        ("rooms", "email = \"alice@there.example\""),
        ("chats", "email = \"alice@there.example\""),
        ("matrix", "username = \"alice-there\""),
    ] {
        let far = Sabir::start(&people);
        let at = far.public;
        let with = |password: &str| {
            let own = format!(
                "token = \"near-token\"\nas = {{ far = {{ {name}, password = \"{password}\" }} }}"
            );
            let own = NEAR.replace("token = \"near-token\"", &own);
            Sabir::start(&format!("{own}{}", upstream(dialect, &far, true)))
        };
        let near = with("alice-far-password");
        let alice = Client::new(&near, "rooms", ("", ""), ("alice", "near-password"));
        alice.send("lobby", "hello").unwrap();
        let wrong = with("another password");
        drop(far);
        let far = Sabir::start_at(at, &people);
        alice.send("lobby", "again").unwrap();
        let bridge = Client::new(&far, "rooms", ("", ""), ("bridge", "far-password"));
        let there = bridge.list("den");
        let said = there.iter().map(|one| (&*one.author, &*one.text));
        assert_eq!(
            said.collect::<Vec<_>>(),
            [("alice-there", "again")],
            "{dialect}"
        );
        // What the configuration has wrong is not for the caller to mend by signing in again.
        let alice = Client::new(&wrong, "rooms", ("", ""), ("alice", "near-password"));
        let told = alice.send("lobby", "never").unwrap_err();
        assert!(
            told.contains("not available right now"),
            "{dialect}: {told}"
        );
    }
}

#[test]
fn where_a_program_has_one_session_nobody_signs_in_beside_it() {
    let config = format!(
        "{}\n[upstream.far]\ndialect = \"keyauth\"\nurl = \"http://127.0.0.1:1\"\n",
        NEAR.replace(
            "token = \"near-token\"",
            "as = { far = { license = \"L\" } }"
        )
    );
    let near = Sabir::start(NEAR);
    let told = near.reload(&config).unwrap_err().to_string();
    assert!(
        told.contains("alice") && told.contains("`as.far`"),
        "{told}"
    );
}
