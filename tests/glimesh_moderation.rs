//! Moderation as Glimesh's programs ask for it, on `local`: what they get, and what everybody else gets then.

mod support;

use support::running::{Answer, Sabir};

const CONFIG: &str = r#"
[[account]]
name = "Mytho"
token = "mytho-token"

[[account]]
name = "Mod"
token = "mod-token"

[[account]]
name = "Loud"
email = "loud@example.com"
password = "loud-password"
token = "loud-token"

[[account]]
name = "Admin"
token = "admin-token"
may = ["read", "send", "moderate"]

[[application]]
name = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = "s3cr3t" }

[[application]]
name = "bot"
glimesh = { client_id = "3f1c", client_secret = "s3cr3t", owner = "Mod" }

[[channel]]
name = "mytho"
title = "Live!"
owner = "Mytho"
moderators = ["Mod"]
ids = { glimesh = 6 }

[[channel]]
name = "other"
ids = { glimesh = 7 }

[[route]]
from = "*:*"
to = "local:*"
"#;

const TELLS: &str = "{ action channel { id title } moderator { username } user { username } }";

fn ask(sabir: &Sabir, who: &str, door: &str, text: &str) -> Answer {
    let bearer = format!("Bearer {who}-token");
    sabir.ask("POST", door, &[("Authorization", &bearer)], text)
}

fn graph(sabir: &Sabir, who: &str, text: &str) -> Answer {
    ask(sabir, who, "/api/graph", text)
}

fn id_of(sabir: &Sabir, name: &str) -> String {
    let text = format!("{{ user(username: \"{name}\") {{ id }} }}");
    let told = graph(sabir, "mod", &text).json();
    told["data"]["user"]["id"].as_str().unwrap().to_owned()
}

fn moderate(sabir: &Sabir, who: &str, door: &str, field: &str, user: &str) -> Answer {
    let text = format!("mutation {{ {field}(channelId: 6, userId: {user}) {TELLS} }}");
    ask(sabir, who, door, &text)
}

fn speak(sabir: &Sabir, who: &str, channel: u8) -> String {
    let text = format!(
        "mutation {{ createChatMessage(channelId: {channel}, message: {{message: \"hi\"}}) {{ message }} }}"
    );
    let answer = graph(sabir, who, &text);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    match told["errors"][0]["message"].as_str() {
        Some(words) => words.to_owned(),
        None => told["data"]["createChatMessage"]["message"]
            .as_str()
            .unwrap()
            .to_owned(),
    }
}

const BANNED: &str = "You are permanently banned from this channel.";

#[test]
fn each_deed_is_told_as_the_log_has_it_on_both_doors() {
    let sabir = Sabir::start(CONFIG);
    let loud = id_of(&sabir, "Loud");
    for door in ["/api/graph", "/api"] {
        for (field, action) in [
            ("shortTimeoutUser", "short_timeout"),
            ("longTimeoutUser", "long_timeout"),
            ("banUser", "ban"),
            ("unbanUser", "unban"),
        ] {
            let answer = moderate(&sabir, "mod", door, field, &loud);
            let wanted = format!(
                r#"{{"data":{{"{field}":{{"action":"{action}","channel":{{"id":"6","title":"Live!"}},"moderator":{{"username":"Mod"}},"user":{{"username":"Loud"}}}}}}}}"#
            );
            assert_eq!((answer.status, answer.body), (200, wanted), "{door}");
        }
    }
}

#[test]
fn a_timeout_and_a_ban_keep_a_person_from_speaking_there_alone() {
    let mut sabir = Sabir::start(CONFIG);
    let loud = id_of(&sabir, "Loud");
    assert_eq!(speak(&sabir, "loud", 6), "hi");
    moderate(&sabir, "mod", "/api/graph", "shortTimeoutUser", &loud);
    assert_eq!(
        speak(&sabir, "loud", 6),
        "You are banned from this channel for 5 more minutes."
    );
    assert_eq!(speak(&sabir, "loud", 7), "hi");
    assert_eq!(speak(&sabir, "mod", 6), "hi");
    moderate(&sabir, "mytho", "/api", "longTimeoutUser", &loud);
    assert_eq!(
        speak(&sabir, "loud", 6),
        "You are banned from this channel for 15 more minutes."
    );
    moderate(&sabir, "admin", "/api/graph", "banUser", &loud);
    assert_eq!(speak(&sabir, "loud", 6), BANNED);
    sabir.restart();
    assert_eq!(speak(&sabir, "loud", 6), BANNED);
    moderate(&sabir, "mod", "/api/graph", "unbanUser", &loud);
    let waits = speak(&sabir, "loud", 6);
    assert!(
        waits == "You are banned from this channel for 15 more minutes."
            || waits == "You are banned from this channel for 14 more minutes.",
        "a timeout is not taken back by an unban: {waits}"
    );
}

#[test]
fn the_owner_and_admins_speak_although_they_are_banned() {
    let sabir = Sabir::start(CONFIG);
    for (name, who, heard) in [
        ("Mytho", "mytho", "hi"),
        ("Admin", "admin", "hi"),
        ("Mod", "mod", BANNED),
    ] {
        let id = id_of(&sabir, name);
        let answer = moderate(&sabir, "admin", "/api/graph", "banUser", &id);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(speak(&sabir, who, 6), heard, "{name}");
    }
}

#[test]
fn who_may_not_moderate_and_whom_nobody_knows() {
    let sabir = Sabir::start(CONFIG);
    let loud = id_of(&sabir, "Loud");
    let unauthorized = r#"{"data":{"banUser":null},"errors":[{"locations":[{"column":12,"line":1}],"message":"unauthorized","path":["banUser"]}]}"#;
    let refused = moderate(&sabir, "loud", "/api/graph", "banUser", &loud);
    assert_eq!((refused.status, refused.body.as_str()), (200, unauthorized));
    // Moderator of one channel is nobody in another.
    let elsewhere = format!("mutation {{ banUser(channelId: 7, userId: {loud}) {{ action }} }}");
    assert_eq!(graph(&sabir, "mod", &elsewhere).body, unauthorized);
    let program = [("Authorization", "Client-ID 3f1c")];
    let text = format!("mutation {{ banUser(channelId: 6, userId: {loud}) {{ action }} }}");
    let by_program = sabir.ask("POST", "/api/graph", &program, &text);
    assert_eq!(by_program.body, unauthorized);
    for (what, status, body, text) in [
        (
            "no such user",
            404,
            "\"Not Found\"",
            "mutation { banUser(channelId: 6, userId: 99999) { action } }".to_owned(),
        ),
        (
            "no such channel",
            404,
            "\"Not Found\"",
            format!("mutation {{ banUser(channelId: 66, userId: {loud}) {{ action }} }}"),
        ),
        (
            "not banned",
            500,
            "\"Internal Server Error\"",
            format!("mutation {{ unbanUser(channelId: 6, userId: {loud}) {{ action }} }}"),
        ),
    ] {
        let answer = graph(&sabir, "mod", &text);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{what}"
        );
    }
    assert_eq!(speak(&sabir, "loud", 6), "hi");
}

/// The token's scope counts for moderating as for speaking.
#[test]
fn a_token_without_the_scope_moderates_nobody() {
    let sabir = Sabir::start(CONFIG);
    let loud = id_of(&sabir, "Loud");
    for (scope, works) in [("public", false), ("public chat", true)] {
        let told = sabir.post_form(
            "/api/oauth/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", "3f1c"),
                ("client_secret", "s3cr3t"),
                ("scope", scope),
            ],
        );
        let token = format!("Bearer {}", told.json()["access_token"].as_str().unwrap());
        let text = format!("mutation {{ banUser(channelId: 6, userId: {loud}) {{ action }} }}");
        let answer = sabir.ask("POST", "/api/graph", &[("Authorization", &token)], &text);
        assert_eq!(
            answer.body.contains("unauthorized"),
            !works,
            "{scope}: {}",
            answer.body
        );
    }
}

#[test]
fn other_dialects_say_it_in_their_own_words() {
    let sabir = Sabir::start(CONFIG);
    let loud = id_of(&sabir, "Loud");
    let app = "name=test&ownerid=tiQhtH5R88";
    let keyauth = |body: &str| {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        sabir.ask("POST", "/api/1.2/", &form, body)
    };
    let opened = keyauth(&format!("type=init&{app}&ver=1.0")).json();
    let session = opened["sessionid"].as_str().unwrap().to_owned();
    let signed_in = keyauth(&format!(
        "type=login&{app}&sessionid={session}&username=Loud&pass=loud-password"
    ));
    assert!(signed_in.body.contains("Logged in!"), "{}", signed_in.body);
    let by_keyauth = || {
        let body = format!("type=chatsend&{app}&sessionid={session}&channel=mytho&message=hello");
        let told = keyauth(&body).json();
        told["message"].as_str().unwrap().to_owned()
    };
    let by_rooms = || {
        let headers = [
            ("Authorization", "Bearer loud-token"),
            ("Content-Type", "application/json"),
        ];
        let body = r#"{"room":"mytho","text":"hello"}"#;
        let answer = sabir.ask("POST", "/chat-messages", &headers, body);
        (answer.status, answer.json()["className"].clone())
    };
    assert_eq!(by_keyauth(), "Successfully sent chat message");
    moderate(&sabir, "mod", "/api/graph", "shortTimeoutUser", &loud);
    let muted = by_keyauth();
    assert!(
        muted.starts_with("You're muted from chat until ") && muted.ends_with('m'),
        "{muted}"
    );
    assert_eq!(by_rooms(), (403, "forbidden".into()));
    moderate(&sabir, "mod", "/api/graph", "banUser", &loud);
    assert_eq!(by_keyauth(), "The user is banned");
    assert_eq!(by_rooms(), (403, "forbidden".into()));
}

#[test]
fn lists_of_moderators_bans_and_the_log() {
    let sabir = Sabir::start(CONFIG);
    let loud = id_of(&sabir, "Loud");
    let moderator = id_of(&sabir, "Mod");
    for field in ["shortTimeoutUser", "banUser", "banUser", "unbanUser"] {
        moderate(&sabir, "mod", "/api/graph", field, &loud);
    }
    let sent = "mutation { createChatMessage(channelId: 6, message: {message: \"x\"}) { id } }";
    let sent = graph(&sabir, "mytho", sent).json();
    let sent = sent["data"]["createChatMessage"]["id"].as_str().unwrap();
    let gone = format!(
        "mutation {{ deleteChatMessage(channelId: 6, messageId: {sent}) {{ id action }} }}"
    );
    let gone = graph(&sabir, "mod", &gone).json();
    let number = gone["data"]["deleteChatMessage"]["id"].as_str().unwrap();
    assert_ne!(number, "0");
    let cases = [
        (
            "/api/graph",
            "{ channel(id: 6) { moderators { count edges { node { canBan user { username } channel { title } } } pageInfo { hasNextPage } } } }",
            r#"{"data":{"channel":{"moderators":{"count":1,"edges":[{"node":{"canBan":true,"channel":{"title":"Live!"},"user":{"username":"Mod"}}}],"pageInfo":{"hasNextPage":false}}}}}"#,
        ),
        (
            "/api",
            "{ channel(id: 6) { moderators { canShortTimeout user { username } } } }",
            r#"{"data":{"channel":{"moderators":[{"canShortTimeout":true,"user":{"username":"Mod"}}]}}}"#,
        ),
        (
            "/api/graph",
            "{ channel(id: 6) { bans { count edges { node { reason user { username } channel { id } } } } } }",
            r#"{"data":{"channel":{"bans":{"count":1,"edges":[{"node":{"channel":{"id":"6"},"reason":null,"user":{"username":"Loud"}}}]}}}}"#,
        ),
        (
            "/api",
            "{ channel(id: 6) { moderationLogs { action moderator { username } user { username } } } }",
            r#"{"data":{"channel":{"moderationLogs":[{"action":"short_timeout","moderator":{"username":"Mod"},"user":{"username":"Loud"}},{"action":"ban","moderator":{"username":"Mod"},"user":{"username":"Loud"}},{"action":"ban","moderator":{"username":"Mod"},"user":{"username":"Loud"}},{"action":"unban","moderator":{"username":"Mod"},"user":{"username":"Loud"}},{"action":"delete_message","moderator":{"username":"Mod"},"user":{"username":"Mytho"}}]}}}"#,
        ),
        (
            "/api/graph",
            "{ channel(id: 6) { moderationLogs(first: 1, after: \"YXJyYXljb25uZWN0aW9uOjA=\") { count edges { cursor node { action } } pageInfo { hasNextPage hasPreviousPage } } } }",
            r#"{"data":{"channel":{"moderationLogs":{"count":1,"edges":[{"cursor":"YXJyYXljb25uZWN0aW9uOjE=","node":{"action":"ban"}}],"pageInfo":{"hasNextPage":true,"hasPreviousPage":true}}}}}"#,
        ),
        (
            "/api/graph",
            "{ channel(id: 7) { moderators { count } bans { count } moderationLogs { count } } }",
            r#"{"data":{"channel":{"bans":{"count":0},"moderationLogs":{"count":0},"moderators":{"count":0}}}}"#,
        ),
    ];
    for (door, text, wanted) in cases {
        assert_eq!(ask(&sabir, "loud", door, text).body, wanted, "{text}");
    }
    let told = graph(
        &sabir,
        "loud",
        "{ channel(id: 6) { bans { edges { node { id expiresAt insertedAt user { id } } } } moderators { edges { node { id user { id } } } } } }",
    )
    .json();
    let ban = &told["data"]["channel"]["bans"]["edges"][0]["node"];
    assert_eq!(ban["user"]["id"], loud.as_str());
    let (from, until) = (ban["insertedAt"].as_str(), ban["expiresAt"].as_str());
    assert!(from < until, "{ban}");
    let named = &told["data"]["channel"]["moderators"]["edges"][0]["node"];
    assert_eq!(named["user"]["id"], moderator.as_str());
}
