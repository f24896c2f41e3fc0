//! Rooms over the wire: Feathers' errors in Feathers' order of keys, its queries in their three spellings, its tokens.

use serde_json::{Value, json};

use crate::support::server::{Reply, Server};
use crate::{at_home, nothing_reaches_far, now_ms};

const NOT_AUTHENTICATED: &str = r#"{"name":"NotAuthenticated","message":"Not authenticated","code":401,"className":"not-authenticated","errors":{}}"#;
const INVALID_LOGIN: &str = r#"{"name":"NotAuthenticated","message":"Invalid login","code":401,"className":"not-authenticated","errors":{}}"#;
const BLANK: &str = r#"{"name":"BadRequest","message":"Text or media URL required","code":400,"className":"bad-request","errors":{"text":"required"}}"#;

/// A JSON request of somebody.
pub fn headers(token: &str) -> [&'static str; 2] {
    let authorization = format!("Authorization: Bearer {token}");
    [
        "Content-Type: application/json",
        Box::leak(authorization.into_boxed_str()),
    ]
}

pub fn post(server: &Server, token: &str, body: &str) -> Reply {
    server.request("POST", "/chat-messages", &headers(token), body.as_bytes())
}

pub fn get(server: &Server, token: &str, target: &str) -> Reply {
    server.get(target, &headers(token)[1..])
}

fn sign_in(server: &Server, body: &str) -> Reply {
    let json = ["Content-Type: application/json"];
    server.request("POST", "/authentication", &json, body.as_bytes())
}

pub fn no_record(id: &str) -> String {
    format!(
        r#"{{"name":"NotFound","message":"No record found for id '{id}'","code":404,"className":"not-found","errors":{{}}}}"#
    )
}

fn answer(reply: &Reply) -> (u16, &str) {
    assert_eq!(reply.header("content-type"), Some("application/json"));
    (reply.status, reply.text())
}

/// The ids or texts of a list, whichever of the two shapes it has.
fn texts(list: &Value) -> Vec<&str> {
    let rows = list.get("data").unwrap_or(list).as_array().unwrap();
    rows.iter()
        .map(|row| row["text"].as_str().unwrap())
        .collect()
}

/// A den with `m0` to `m5`, ten seconds apart.
fn filled() -> Server {
    let server = at_home();
    for number in 0..6 {
        let sent = post(
            &server,
            "token-of-alice",
            &format!(
                r#"{{"room":"den","text":"m{number}","createdAt":{}}}"#,
                1_564_661_697_125_i64 + number * 10_000
            ),
        );
        assert_eq!(sent.status, 200);
    }
    server
}

#[test]
fn nobody_is_told_so_before_anything_else() {
    nothing_reaches_far(|server| {
        let json = ["Content-Type: application/json"];
        let ask =
            |method, target, body: &str| server.request(method, target, &json, body.as_bytes());
        for reply in [
            ask("GET", "/chat-messages", ""),
            ask("GET", "/chat-messages?room=lobby", ""),
            ask("GET", "/chat-messages?room=lobby&$limit=x", ""),
            ask("GET", "/chat-messages/1", ""),
            ask("GET", "/chat-messages/..", ""),
            ask(
                "POST",
                "/chat-messages",
                r#"{"room":"lobby","text":"hello"}"#,
            ),
            ask("POST", "/chat-messages", r#"{"room":"lobby"}"#),
            ask("POST", "/chat-messages", r#"{"room":"lob"#),
            ask("POST", "/chat-messages", ""),
            ask("PATCH", "/chat-messages/1", r#"{"seen":true}"#),
            ask("GET", "/chat-rooms", ""),
            ask("GET", "/accounts/alice", ""),
            ask(
                "POST",
                "/authentication",
                r#"{"action":"generateAPIToken"}"#,
            ),
            get(server, "token-of-nobody", "/chat-messages?room=lobby"),
            get(server, "", "/chat-messages?room=lobby"),
            post(
                server,
                "token-of-nobody",
                r#"{"room":"lobby","text":"hello"}"#,
            ),
            post(server, "token-of-nobody", "{"),
            server.get(
                "/chat-messages",
                &["Authorization: Basic dG9rZW4tb2YtYWxpY2U6"],
            ),
            server.get("/chat-messages?access_token=token-of-alice", &[]),
        ] {
            assert_eq!(answer(&reply), (401, NOT_AUTHENTICATED));
        }
    });
}

#[test]
fn a_wrong_login_does_not_tell_which_half() {
    nothing_reaches_far(|server| {
        for body in [
            r#"{"email":"nobody@example.com","password":"x"}"#,
            r#"{"email":"alice@example.com","password":"wrong"}"#,
            r#"{"email":"alice@example.com","password":""}"#,
            r#"{"email":"alice@example.com"}"#,
            r#"{"email":"","password":"correct horse"}"#,
            r#"{"password":"correct horse"}"#,
            r#"{"strategy":"local","email":"bob@example.com","password":"correct horse"}"#,
            "{}",
            "",
        ] {
            assert_eq!(
                answer(&sign_in(server, body)),
                (401, INVALID_LOGIN),
                "{body}"
            );
        }
        let reply = sign_in(server, r#"{"strategy":"jwt","accessToken":"nonsense"}"#);
        assert_eq!(answer(&reply), (401, NOT_AUTHENTICATED));
    });
}

#[test]
fn a_token_is_shaped_as_programs_read_it_and_works_until_it_is_another_ones() {
    let server = at_home();
    let local = r#"{"strategy":"local","email":"ALICE@example.com","password":"correct horse"}"#;
    let reply = sign_in(&server, local);
    let token = reply.member("accessToken");
    assert_eq!((reply.status, reply.member("uid")), (200, "alice".into()));
    let claims = token.split('.').nth(1).unwrap();
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], "alice");
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        86_400
    );
    assert_eq!(
        get(&server, &token, "/accounts/alice").json(),
        json!({"uid": "alice", "id": "alice", "name": "alice"})
    );
    // Changed in one letter, it is nobody's.
    let changed = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(get(&server, &changed, "/accounts/alice").status, 401);
    // It is good for another, and for one without an end.
    let jwt = format!(r#"{{"strategy":"jwt","accessToken":"{token}"}}"#);
    let second = sign_in(&server, &jwt).member("accessToken");
    assert_eq!(get(&server, &second, "/chat-messages?room=den").status, 200);
    let reply = server.request(
        "POST",
        "/authentication",
        &headers(&token),
        br#"{"action":"generateAPIToken"}"#,
    );
    assert_eq!(reply.member("type"), "api");
    let third = reply.member("accessToken");
    assert_eq!(get(&server, &third, "/chat-messages?room=den").text(), "[]");
    // Signing in again is possible with a token that has run out.
    let again = server.request(
        "POST",
        "/authentication",
        &headers("run.out.long-ago"),
        br#"{"email":"alice@example.com","password":"correct horse"}"#,
    );
    assert_eq!(again.status, 200, "{}", again.text());
}

#[test]
fn what_cannot_be_meant_is_named_and_never_sent() {
    nothing_reaches_far(|server| {
        let alice = "token-of-alice";
        let bad = |message: &str, errors: &str| {
            format!(
                r#"{{"name":"BadRequest","message":"{message}","code":400,"className":"bad-request","errors":{errors}}}"#
            )
        };
        let unreadable = |why: &str| bad(why, "{}");
        let twice = |name: &str| unreadable(&format!("the body has the member `{name}` twice"));
        let room = bad("Room is required", r#"{"room":"required"}"#);
        let cases = [
            (r#"{"room":"lobby"}"#, BLANK),
            (r#"{"room":"lobby","text":""}"#, BLANK),
            (r#"{"room":"lobby","text":" \n\t "}"#, BLANK),
            (r#"{"room":"lobby","text":null,"media":null}"#, BLANK),
            (r#"{"text":"hello"}"#, &room),
            (r#"{"room":"","text":"hello"}"#, &room),
            (r#"{"room":null,"text":"hello"}"#, &room),
            (r#"{}"#, &room),
            ("", &room),
            (
                r#"{"room":"lobby","text":"hello""#,
                &unreadable(
                    "the body is not JSON: EOF while parsing an object at line 1 column 30",
                ),
            ),
            (
                r#"{"room":"lobby","text":"hello"} x"#,
                &unreadable("the body is not JSON: trailing characters at line 1 column 33"),
            ),
            (r#"{"room":"lobby","text":"a","text":"b"}"#, &twice("text")),
            (
                r#"{"room":"lobby","room":"den","text":"a"}"#,
                &twice("room"),
            ),
            (
                r#"{"room":"lobby","x":{"y":1,"y":2},"text":"a"}"#,
                &twice("y"),
            ),
            (
                r#"{"room":"lobby","te\u0078t":"a","text":"b"}"#,
                &twice("text"),
            ),
            (
                r#"{"room":"lobby","text":"\ud800"}"#,
                &unreadable(
                    "the body is not JSON: unexpected end of hex escape at line 1 column 31",
                ),
            ),
            (
                r#"{"room":["lobby"],"text":"hello"}"#,
                &bad("Invalid value of room", r#"{"room":"invalid"}"#),
            ),
            (
                r#"{"room":"lobby","text":{"a":1}}"#,
                &bad("Invalid value of text", r#"{"text":"invalid"}"#),
            ),
            (
                r#"{"room":"lobby","text":"a","createdAt":"yesterday"}"#,
                &bad("Invalid value of createdAt", r#"{"createdAt":"invalid"}"#),
            ),
        ];
        for (body, told) in cases {
            let reply = post(server, alice, body);
            assert_eq!(answer(&reply), (400, told), "{body}");
        }
        for body in [r#"[{"room":"lobby","text":"a"}]"#, "17", r#""hello""#] {
            assert_eq!(post(server, alice, body).status, 400, "{body}");
        }
        let raw = [&br#"{"room":"lobby","text":""#[..], b"\xff\xfe", br#""}"#].concat();
        let reply = server.request("POST", "/chat-messages", &headers(alice), &raw);
        assert_eq!(
            answer(&reply),
            (
                400,
                unreadable("the body is not JSON: invalid utf-8 sequence of 1 bytes from index 24")
                    .as_str()
            )
        );
        // A form is no JSON, whatever the service behind it would make of it.
        let form = [
            "Content-Type: application/x-www-form-urlencoded",
            headers(alice)[1],
        ];
        let reply = server.request("POST", "/chat-messages", &form, b"room=lobby&text=hello");
        assert_eq!(reply.status, 400, "{}", reply.text());
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    nothing_reaches_far(|server| {
        let alice = "token-of-alice";
        let not_there = [
            (get(server, alice, "/chat-messages/4711"), "4711"),
            (get(server, alice, "/chat-messages?room=nowhere"), "nowhere"),
            (get(server, alice, "/chat-rooms/nowhere"), "nowhere"),
            (
                post(server, alice, r#"{"room":"nowhere","text":"hello"}"#),
                "nowhere",
            ),
            (get(server, alice, "/accounts/nobody"), "nobody"),
        ];
        for (reply, id) in not_there {
            assert_eq!(answer(&reply), (404, no_record(id).as_str()));
        }
        let seen = server.request(
            "PATCH",
            "/chat-messages/4711",
            &headers(alice),
            br#"{"seen":true}"#,
        );
        assert_eq!(answer(&seen), (404, no_record("4711").as_str()));
        for target in [
            "/chat-messages/1/2",
            "/chat-rooms/den/messages",
            "/authentication/x",
        ] {
            let reply = get(server, alice, target);
            let told = format!(
                r#"{{"name":"NotFound","message":"Page not found","code":404,"className":"not-found","data":{{"url":"{target}"}},"errors":{{}}}}"#
            );
            assert_eq!(answer(&reply), (404, told.as_str()));
        }
        let reply = get(server, alice, "/chat-messagesx");
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (404, Some("text/plain; charset=utf-8"))
        );
    });
}

#[test]
fn an_id_is_never_a_way_to_somewhere_else() {
    nothing_reaches_far(|server| {
        let alice = "token-of-alice";
        for id in ["..", "%2e%2e", ".%2E", ".", "%2e"] {
            for method in ["GET", "PATCH"] {
                let target = format!("/chat-messages/{id}");
                let reply = server.request(method, &target, &headers(alice), br#"{"seen":true}"#);
                assert_eq!(reply.status, 400, "{method} {id}: {}", reply.text());
            }
            assert_eq!(
                get(server, alice, &format!("/chat-rooms/{id}")).status,
                400,
                "{id}"
            );
        }
        // Names of the upstream's own that look like ways stay names.
        for id in ["%2F", "a%2F..%2Fb", "%00", "x%3Fy", "%C3%A9"] {
            let reply = get(server, alice, &format!("/chat-messages/{id}"));
            assert_eq!(reply.status, 404, "{id}: {}", reply.text());
        }
        assert_eq!(get(server, alice, "/chat-messages/%FF").status, 400);
    });
}

#[test]
fn methods_that_are_refused_name_those_that_are_not() {
    nothing_reaches_far(|server| {
        let told = |word: &str| {
            format!(
                r#"{{"name":"MethodNotAllowed","message":"Method `{word}` is not supported by this endpoint.","code":405,"className":"method-not-allowed","errors":{{}}}}"#
            )
        };
        let cases = [
            ("DELETE", "/chat-messages/1", "remove", "GET, PATCH"),
            ("PUT", "/chat-messages/1", "update", "GET, PATCH"),
            ("DELETE", "/chat-messages", "remove", "GET, POST"),
            ("PUT", "/chat-messages", "update", "GET, POST"),
            ("PATCH", "/chat-messages", "patch", "GET, POST"),
            ("DELETE", "/chat-rooms/den", "remove", "GET, PATCH"),
            ("PUT", "/chat-rooms/den", "update", "GET, PATCH"),
        ];
        for (method, target, word, allow) in cases {
            let reply = server.request(
                method,
                target,
                &headers("token-of-alice"),
                br#"{"text":"x"}"#,
            );
            assert_eq!(
                answer(&reply),
                (405, told(word).as_str()),
                "{method} {target}"
            );
            assert_eq!(methods(&reply), methods_of(allow), "{method} {target}");
        }
        let reply = server.request("DELETE", "/authentication", &headers("token-of-alice"), b"");
        assert_eq!((reply.status, methods(&reply)), (405, methods_of("POST")));
    });
}

fn methods(reply: &Reply) -> Vec<String> {
    methods_of(reply.header("allow").unwrap_or_default())
}

fn methods_of(list: &str) -> Vec<String> {
    let mut methods: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    methods.sort();
    methods
}

#[test]
fn a_record_is_what_the_documents_show() {
    let server = at_home();
    let sent = post(
        &server,
        "token-of-alice",
        r#"{"room":"den","session":"s1","text":"hey","media":"https://a.example/1.png","createdAt":1564661697125,"seenBy":["bob"],"createdBy":"bob","id":"mine"}"#,
    );
    let id = sent.member("id");
    let record = format!(
        r#"{{"id":"{id}","createdAt":1564661697125,"createdBy":"alice","room":"den","session":"s1","text":"hey","media":"https://a.example/1.png","seenBy":[]}}"#
    );
    assert_eq!(answer(&sent), (200, record.as_str()));
    for target in [
        format!("/chat-messages/{id}"),
        format!("/chat-messages/{id}/"),
    ] {
        assert_eq!(get(&server, "token-of-bob", &target).text(), record);
    }
    // With no time of its own it has ours, and what is not set is left out.
    let sent = post(&server, "token-of-bob", r#"{"room":"DEN","text":"you"}"#);
    let json = sent.json();
    let now = now_ms();
    assert!((now - 30_000..=now).contains(&json["createdAt"].as_u64().unwrap()));
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 6, "{}", sent.text());
    assert_eq!(json["createdBy"], "bob");
    for target in ["/chat-messages?room=den", "/chat-messages/?room=den"] {
        assert_eq!(
            texts(&get(&server, "token-of-bob", target).json()),
            ["hey", "you"]
        );
    }
}

#[test]
fn seen_is_marked_once_and_told_to_everyone() {
    let server = filled();
    let list = get(&server, "token-of-bob", "/chat-messages?room=den").json();
    let id = list[0]["id"].as_str().unwrap().to_owned();
    let patch = |token: &str, body: &str| {
        let target = format!("/chat-messages/{id}");
        server.request("PATCH", &target, &headers(token), body.as_bytes())
    };
    let unseen = patch("token-of-bob", r#"{"seen":false}"#);
    assert_eq!((unseen.status, &unseen.json()["seenBy"]), (200, &json!([])));
    for _ in 0..2 {
        let seen = patch("token-of-bob", r#"{"seen":true,"text":"other"}"#);
        assert_eq!(
            (seen.status, &seen.json()["seenBy"]),
            (200, &json!(["bob"]))
        );
        assert_eq!(seen.json()["text"], "m0");
    }
    assert_eq!(
        patch("token-of-bob", r#"{"seen":false}"#).json()["seenBy"],
        json!(["bob"])
    );
    let all = patch("token-of-alice", r#"{"seen":true}"#).json();
    assert_eq!(all["seenBy"].as_array().unwrap().len(), 2);
    assert_eq!(patch("token-of-bob", r#"{"seen":"maybe"}"#).status, 400);
}

#[test]
fn a_query_means_the_same_in_its_three_spellings() {
    let server = filled();
    let list = |query: &str| get(&server, "token-of-bob", &format!("/chat-messages?{query}"));
    let newest = ["m5", "m4"];
    for query in [
        "room=den&$limit=2&$sort[createdAt]=-1",
        "room=den&%24limit=2&%24sort%5BcreatedAt%5D=-1",
        "room=den&%24limit%5B%24coerce%5D%5Btype%5D=number&%24limit%5B%24coerce%5D%5Bvalue%5D=2&%24sort%5BcreatedAt%5D%5B%24coerce%5D%5Btype%5D=number&%24sort%5BcreatedAt%5D%5B%24coerce%5D%5Bvalue%5D=-1",
        "room=den&%24limit=%232&%24sort%5BcreatedAt%5D=%23-1",
    ] {
        assert_eq!(texts(&list(query).json()), newest, "{query}");
    }
    for query in [
        "room=den&$limit=2&$skip=1&$sort[createdAt]=-1",
        "room=den&$limit=2&$skip=%231&$sort[createdAt]=-1",
    ] {
        assert_eq!(texts(&list(query).json()), ["m4", "m3"], "{query}");
    }
    // Without an order: the newest, shown oldest first. With the other order: the oldest.
    assert_eq!(texts(&list("room=den&$limit=2").json()), ["m4", "m5"]);
    assert_eq!(
        texts(&list("room=den&$limit=2&$sort[createdAt]=1").json()),
        ["m0", "m1"]
    );
    assert_eq!(
        texts(&list("room=den&$limit=2&$skip=5&$sort[createdAt]=1").json()),
        ["m5"]
    );
    // By time, open and closed.
    let at = |number: i64| 1_564_661_697_125_i64 + number * 10_000;
    for (query, found) in [
        (format!("createdAt[$gt]={}", at(3)), vec!["m4", "m5"]),
        (format!("createdAt[$gte]={}", at(4)), vec!["m4", "m5"]),
        (format!("createdAt[$lt]={}", at(1)), vec!["m0"]),
        (format!("createdAt[$lte]={}", at(1)), vec!["m0", "m1"]),
        (format!("createdAt[$gt]={}&createdAt[$lt]={}", at(1), at(3)), vec!["m2"]),
        (format!("createdAt[$gt]=%23{}", at(4)), vec!["m5"]),
        (format!("createdAt[$gt][$coerce][type]=number&createdAt[$gt][$coerce][value]={}", at(4)), vec!["m5"]),
        ("createdAt[$gt][$coerce][type]=date&createdAt[$gt][$coerce][value]=2019-08-01T12:15:37.125Z".into(), vec!["m5"]),
        ("createdBy=alice&$limit=1".into(), vec!["m5"]),
        ("createdBy=bob".into(), vec![]),
        ("session=s9".into(), vec![]),
    ] {
        assert_eq!(texts(&list(&format!("room=den&{query}")).json()), found, "{query}");
    }
    for query in ["$limit=x", "$skip=x", "$limit=1.5", "createdAt[$gt]=x"] {
        let reply = list(&format!("room=den&{query}"));
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
    }
    assert_eq!(list("room=den&$limit=%ff").status, 400);
}

#[test]
fn a_counted_list_tells_how_many_there_are() {
    let server = filled();
    let list = |query: &str| {
        get(
            &server,
            "token-of-bob",
            &format!("/chat-messages?room=den&{query}"),
        )
        .json()
    };
    for query in [
        "$total=true",
        "%24total=%23true",
        "$total[$coerce][type]=boolean&$total[$coerce][value]=true",
    ] {
        let json = list(&format!("{query}&$limit=2&$skip=1"));
        assert_eq!(
            (&json["total"], &json["limit"], &json["skip"]),
            (&json!(6), &json!(2), &json!(1)),
            "{query}"
        );
        assert_eq!(texts(&json), ["m3", "m4"], "{query}");
    }
    let json = list("$total=true");
    assert_eq!(
        (&json["total"], &json["limit"], &json["skip"]),
        (&json!(6), &json!(50), &json!(0))
    );
    assert_eq!(texts(&json).len(), 6);
    assert!(list("$total=false").is_array());
    // What the clients' count() asks.
    let json = list("$limit=0");
    assert_eq!((&json["total"], &json["data"]), (&json!(6), &json!([])));
}

#[test]
fn a_list_without_a_room_is_of_all_rooms() {
    let server = filled();
    for (room, at) in [("lobby", 5_i64), ("slow", 15_i64)] {
        let at = 1_564_661_697_125_i64 + at * 1000;
        let body = format!(r#"{{"room":"{room}","text":"{room}","createdAt":{at}}}"#);
        assert_eq!(post(&server, "token-of-bob", &body).status, 200);
    }
    let list = |query: &str| get(&server, "token-of-bob", &format!("/chat-messages{query}")).json();
    let all = list("");
    assert_eq!(
        texts(&all),
        ["m0", "lobby", "m1", "slow", "m2", "m3", "m4", "m5"]
    );
    assert_eq!(
        (&all[1]["room"], &all[2]["room"]),
        (&json!("lobby"), &json!("den"))
    );
    assert_eq!(texts(&list("?$limit=3")), ["m3", "m4", "m5"]);
    assert_eq!(texts(&list("?$limit=3&$skip=4")), ["lobby", "m1", "slow"]);
    assert_eq!(
        texts(&list("?$limit=3&$sort[createdAt]=1")),
        ["m0", "lobby", "m1"]
    );
    assert_eq!(
        texts(&list("?$limit=2&$skip=1&$sort[createdAt]=1")),
        ["lobby", "m1"]
    );
    assert_eq!(texts(&list("?$limit=2&$sort[createdAt]=-1")), ["m5", "m4"]);
    let counted = list("?$total=true&$limit=2");
    assert_eq!(
        (&counted["total"], texts(&counted)),
        (&json!(8), vec!["m4", "m5"])
    );
}
