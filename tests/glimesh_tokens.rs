//! Glimesh's token endpoint: what programs fetch there, how refresh tokens are spent, and every refusal byte by byte.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::running::{Answer, Sabir};

const CONFIG: &str = r#"
[[account]]
name = "Mytho"
refresh_token = "old-refresh"

[[account]]
name = "Other"

[[application]]
name = "bot"
glimesh = { client_id = "3f1c", client_secret = "s3cr3t", owner = "Mytho", old_client_id = "5b3c1d7f9e2a4c6d8f0b1a3c5e7d9f2b4a6c8e0d1f3b5a7c9e2d4f6b8a0c1e3d" }

[[application]]
name = "second"
glimesh = { client_id = "77aa", client_secret = "s3cr3t2", owner = "Other" }

[[application]]
name = "nobodys"
glimesh = { client_id = "90", client_secret = "s3cr3t3" }

[[channel]]
name = "mytho"
owner = "Mytho"
ids = { glimesh = 6 }
"#;

const PATH: &str = "/api/oauth/token";
const INVALID: &str = r#"{"error":"invalid_grant","error_description":"Given refresh token is invalid, revoked, or expired."}"#;

/// What is wrong, the fields that are sent, and the status and the body of the answer.
type Refusal = (
    &'static str,
    Vec<(&'static str, &'static str)>,
    u16,
    &'static str,
);

fn token(sabir: &Sabir, fields: &[(&str, &str)]) -> Answer {
    let program = [("client_id", "3f1c"), ("client_secret", "s3cr3t")];
    sabir.post_form(PATH, &[&program[..], fields].concat())
}

fn refresh(sabir: &Sabir, refresh_token: &str) -> Answer {
    let grant = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
    ];
    token(sabir, &grant)
}

/// The access token and the next refresh token.
fn renewed(sabir: &Sabir, refresh_token: &str) -> (String, String) {
    let answer = refresh(sabir, refresh_token);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn who(sabir: &Sabir, access_token: &str) -> String {
    let bearer = format!("Bearer {access_token}");
    let answer = sabir.ask(
        "POST",
        "/api/graph",
        &[("Authorization", &bearer)],
        "{ myself { username } }",
    );
    match answer.status {
        200 => answer.json()["data"]["myself"]["username"]
            .as_str()
            .unwrap()
            .to_owned(),
        status => status.to_string(),
    }
}

#[test]
fn an_answer_is_told_byte_by_byte() {
    let sabir = Sabir::start(CONFIG);
    let answer = token(
        &sabir,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "public chat"),
        ],
    );
    let told = answer.json();
    let (access, created) = (&told["access_token"], &told["created_at"]);
    assert_eq!(created.to_string().len(), "\"2021-03-21T19:32:21\"".len());
    let wanted = format!(
        r#"{{"access_token":{access},"created_at":{created},"expires_in":86400,"refresh_token":null,"scope":"public chat","token_type":"bearer"}}"#
    );
    assert_eq!((answer.status, answer.body), (200, wanted));
    assert_eq!(
        answer.head.to_lowercase().matches("content-type").count(),
        1
    );
}

#[test]
fn a_refresh_token_is_good_once_and_its_thief_ends_the_family() {
    let mut sabir = Sabir::start(CONFIG);
    let answer = refresh(&sabir, "old-refresh");
    let told = answer.json();
    let (access, created) = (&told["access_token"], &told["created_at"]);
    let wanted = format!(
        r#"{{"access_token":{access},"created_at":{created},"expires_in":86400,"refresh_token":{},"scope":"public email chat streamkey follow stream_info","token_type":"bearer"}}"#,
        told["refresh_token"]
    );
    assert_eq!((answer.status, answer.body), (200, wanted));
    let first = access.as_str().unwrap().to_owned();
    let spent = told["refresh_token"].as_str().unwrap().to_owned();
    let (second, next) = renewed(&sabir, &spent);
    // Refreshing ends no token that is in use, and all of it survives a restart.
    sabir.restart();
    assert_eq!(who(&sabir, &first), "Mytho");
    assert_eq!(who(&sabir, &second), "Mytho");
    let (third, last) = renewed(&sabir, &next);
    assert_eq!(who(&sabir, &last), "401", "it says nobody's name");
    let reused = refresh(&sabir, &spent);
    assert_eq!((reused.status, reused.body.as_str()), (400, INVALID));
    for token in [&first, &second, &third] {
        assert_eq!(who(&sabir, token), "401");
    }
    for token in [last.as_str(), "old-refresh"] {
        let answer = refresh(&sabir, token);
        assert_eq!((answer.status, answer.body.as_str()), (400, INVALID));
    }
    sabir.restart();
    assert_eq!(refresh(&sabir, "old-refresh").status, 400);
    assert_eq!(who(&sabir, &third), "401");
}

#[test]
fn a_scope_may_be_narrowed_and_never_widened() {
    let sabir = Sabir::start(CONFIG);
    let narrowed = |refresh_token: &str, scope: &str| {
        token(
            &sabir,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token),
                ("scope", scope),
            ],
        )
    };
    let answer = narrowed("old-refresh", "public nonsense");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (
            400,
            r#"{"error":"invalid_scope","error_description":"Given scopes are unknown or unauthorized."}"#
        )
    );
    let answer = narrowed("old-refresh", "public").json();
    assert_eq!(answer["scope"], "public");
    let reader = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let text = "mutation { createChatMessage(channelId: 6, message: {message: \"x\"}) { id } }";
    let sent = sabir.ask("POST", "/api/graph", &[("Authorization", &reader)], text);
    assert!(sent.body.contains("unauthorized"), "{}", sent.body);
}

#[test]
fn every_refusal() {
    let sabir = Sabir::start(CONFIG);
    let client =
        r#"{"error":"invalid_client","error_description":"Invalid client_id or client_secret."}"#;
    let ours = [("client_id", "3f1c"), ("client_secret", "s3cr3t")];
    let cases: [Refusal; 9] = [
        (
            "unknown program",
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", "zz"),
                ("client_secret", "s3cr3t"),
            ],
            401,
            client,
        ),
        (
            "wrong secret",
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", "3f1c"),
                ("client_secret", "no"),
            ],
            401,
            client,
        ),
        (
            "no secret",
            vec![("grant_type", "client_credentials"), ("client_id", "3f1c")],
            401,
            client,
        ),
        (
            "no secret, to refresh",
            vec![
                ("grant_type", "refresh_token"),
                ("client_id", "3f1c"),
                ("refresh_token", "old-refresh"),
            ],
            401,
            client,
        ),
        (
            "a program without an owner",
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", "90"),
                ("client_secret", "s3cr3t3"),
            ],
            401,
            client,
        ),
        (
            "a grant that is not served",
            [
                &ours[..],
                &[("grant_type", "authorization_code"), ("code", "x")],
            ]
            .concat(),
            400,
            r#"{"error":"unsupported_grant_type","error_description":"Client do not support given grant type."}"#,
        ),
        (
            "unknown scope",
            [
                &ours[..],
                &[
                    ("grant_type", "client_credentials"),
                    ("scope", "public nonsense"),
                ],
            ]
            .concat(),
            400,
            r#"{"error":"invalid_scope","error_description":"Given scopes are unknown or unauthorized."}"#,
        ),
        (
            "unknown refresh token",
            [
                &ours[..],
                &[("grant_type", "refresh_token"), ("refresh_token", "zz")],
            ]
            .concat(),
            400,
            INVALID,
        ),
        (
            "no refresh token",
            [&ours[..], &[("grant_type", "refresh_token")]].concat(),
            400,
            r#"{"error":"invalid_request","error_description":"Request body validation failed. Required property refresh_token is missing at #."}"#,
        ),
    ];
    for (what, fields, status, body) in cases {
        let answer = sabir.post_form(PATH, &fields);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{what}"
        );
    }
    // None of these has spent it, and it is good through the program that brings it.
    let (_, next) = renewed(&sabir, "old-refresh");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "77aa"),
        ("client_secret", "s3cr3t2"),
        ("refresh_token", &next),
    ];
    let stolen = sabir.post_form(PATH, &fields);
    assert_eq!((stolen.status, stolen.body.as_str()), (400, INVALID));
    renewed(&sabir, &next);
}

/// Libraries for OAuth send who the program is in the header, by default or always.
#[test]
fn a_program_may_say_who_it_is_in_the_header() {
    let sabir = Sabir::start(CONFIG);
    let token = |credentials: &str, body: &str| {
        let encoded = STANDARD.encode(credentials);
        let headers = [
            ("Authorization", &*format!("Basic {encoded}")),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        sabir.ask("POST", PATH, &headers, body)
    };
    let ours = "grant_type=client_credentials&scope=chat";
    let answer = token("3f1c:s3cr3t", ours);
    let access_token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(who(&sabir, &access_token), "Mytho");
    let renewed = token(
        "3f1c:s3cr3t",
        "grant_type=refresh_token&refresh_token=old-refresh",
    );
    assert_eq!(renewed.status, 200, "{}", renewed.body);
    for wrong in ["3f1c:wrong", "3f1c:s3cr3t:", "zz:s3cr3t", "3f1c:"] {
        let refused = token(wrong, ours);
        assert_eq!(
            (refused.status, refused.body.contains("access_token")),
            (401, false),
            "{wrong}"
        );
    }
    // Elsewhere it proves nothing, in Glimesh too.
    let basic = format!("Basic {}", STANDARD.encode("3f1c:s3cr3t"));
    let asked = sabir.ask(
        "POST",
        "/api/graph",
        &[("Authorization", &basic)],
        "{ channels { count } }",
    );
    assert_eq!(asked.status, 401);
}

/// The first programs had ids of 64 hexadecimal digits; later each got a short one, and both were served.
#[test]
fn a_program_is_known_by_its_old_id_too() {
    let sabir = Sabir::start(CONFIG);
    let old = "5b3c1d7f9e2a4c6d8f0b1a3c5e7d9f2b4a6c8e0d1f3b5a7c9e2d4f6b8a0c1e3d";
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", old),
        ("client_secret", "s3cr3t"),
        ("scope", "chat"),
    ];
    let told = sabir.post_form(PATH, &fields).json();
    let access_token = told["access_token"].as_str().unwrap();
    assert_eq!(who(&sabir, access_token), "Mytho");
    let nobody = r#"{"errors":[{"message":"You must be logged in to access the api"}]}"#;
    for (door, spelt, id, known) in [
        ("/api/graph", "Client-ID", "3f1c", true),
        ("/api/graph", "client-id", old, true),
        ("/api", "Client-Id", old, true),
        ("/api", "Client-ID", "5b3c", false),
        ("/api/graph", "Client-ID", "", false),
    ] {
        let shown = format!("{spelt} {id}");
        let headers = [("Authorization", shown.as_str())];
        let text = "{ channel(id: 6) { id } }";
        let read = sabir.ask("POST", door, &headers, text);
        let wanted = if known {
            (200, r#"{"data":{"channel":{"id":"6"}}}"#)
        } else {
            (401, nobody)
        };
        assert_eq!((read.status, read.body.as_str()), wanted, "{shown}");
        let text = "mutation { createChatMessage(channelId: 6, message: {message: \"x\"}) { id } }";
        let sent = sabir.ask("POST", door, &headers, text);
        assert_eq!(sent.body.contains("\"unauthorized\""), known, "{shown}");
    }
}
