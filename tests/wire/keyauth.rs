//! KeyAuth over the wire: the order of its checks, its seals, and the ways in which its programs write a request.
//!
//! Where two things are wrong at once, the earlier check speaks. The texts are the service's own, byte for byte.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::support::server::{Reply, Server};
use crate::{ENCKEY, SECRET, at_home, nothing_reaches_far, now_ms};

pub const APP: &str = "name=test&ownerid=tiQhtH5R88";

pub const NO_SESSION: &str = r#"{"success":false,"message":"Session not found. If you get this frequently, ask the developer to use the latest example code"}"#;
pub const NOT_VALIDATED: &str = r#"{"success":false,"message":"Session is not validated."}"#;
pub const NO_CHANNEL: &str = r#"{"success":false,"message":"Chat channel not found"}"#;
const NO_OWNER: &str = r#"{"success":false,"message":"No OwnerID specified. Select app & copy code snippet from https:\/\/keyauth.cc\/app\/"}"#;
const NO_NAME: &str = r#"{"success":false,"message":"No app name specified. Select app & copy code snippet from https:\/\/keyauth.cc\/app\/"}"#;
const OWNER_LENGTH: &str = r#"{"success":false,"message":"OwnerID should be 10 characters long. Select app & copy code snippet from https:\/\/keyauth.cc\/app\/"}"#;
const NO_TYPE: &str =
    r#"{"success":false,"message":"The value inputted for type paramater was not found"}"#;
const SLOWER: &str = r#"{"success":false,"message":"Chat slower, you've hit the delay limit"}"#;
const BLANK: &str = r#"{"success":false,"message":"Message can't be blank"}"#;
const TOO_LONG: &str = r#"{"success":false,"message":"Message too long!"}"#;
const NO_USER: &str = r#"{"success":false,"message":"Invalid username"}"#;
const NO_PASSWORD: &str = r#"{"success":false,"message":"Password does not match."}"#;
const NO_LICENCE: &str = r#"{"success":false,"message":"Invalid license key"}"#;

pub fn call(server: &Server, body: &str) -> Reply {
    server.post_form("/api/1.2/", body)
}

/// A session that nobody has signed in to.
pub fn opened(server: &Server) -> String {
    let reply = call(server, &format!("type=init&{APP}&ver=1.0&enckey={ENCKEY}"));
    reply.member("sessionid")
}

pub fn signed_in(server: &Server, username: &str, password: &str) -> String {
    let session = opened(server);
    let reply = call(
        server,
        &format!("type=login&{APP}&sessionid={session}&username={username}&pass={password}"),
    );
    assert_eq!(reply.member("message"), "Logged in!");
    session
}

pub fn alice(server: &Server) -> String {
    signed_in(server, "alice", "correct+horse")
}

pub fn send(server: &Server, session: &str, channel: &str, message: &str) -> Reply {
    call(
        server,
        &format!("type=chatsend&{APP}&sessionid={session}&channel={channel}&message={message}"),
    )
}

pub fn read(server: &Server, session: &str, channel: &str) -> Reply {
    call(
        server,
        &format!("type=chatget&{APP}&sessionid={session}&channel={channel}"),
    )
}

/// What KeyAuth's answers have in common, and the body.
pub fn told(reply: &Reply) -> &str {
    assert_eq!(reply.status, 200, "{:?}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    reply.text()
}

fn unsigned(reply: &Reply, body: &str) {
    assert_eq!(told(reply), body);
    assert_eq!(reply.header("signature"), None, "{body}");
}

fn hmac(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sealed with what the session brought and the application's secret.
fn signed(reply: &Reply, body: &str) {
    assert_eq!(told(reply), body);
    let right = hmac(&format!("{ENCKEY}-{SECRET}"), &reply.body);
    assert_eq!(reply.header("signature"), Some(right.as_str()), "{body}");
}

#[test]
fn what_is_wrong_with_the_application_is_told_first_and_unsigned() {
    nothing_reaches_far(|server| {
        // Each request also has every later mistake.
        let cases = [
            ("", NO_OWNER),
            ("type=bogus", NO_OWNER),
            ("type=bogus&ownerid=&name=", NO_OWNER),
            ("type=bogus&name=nobody", NO_OWNER),
            ("type=bogus&ownerid=short&name=", NO_NAME),
            ("type=bogus&ownerid=short", NO_NAME),
            ("type=bogus&ownerid=tiQhtH5R88", NO_NAME),
            ("type=bogus&ownerid=short&name=nobody", OWNER_LENGTH),
            // Ten characters, and more bytes.
            (
                "type=bogus&ownerid=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9&name=test",
                OWNER_LENGTH,
            ),
            (
                "type=bogus&ownerid=tiQhtH5R88&name=nobody",
                "KeyAuth_Invalid",
            ),
            ("type=bogus&ownerid=nobodyHere&name=test", "KeyAuth_Invalid"),
            ("ownerid=otherOwner&name=test", "KeyAuth_Invalid"),
            (
                "type=init&ownerid=tiQhtH5R88&name=nobody&enckey=0123456789012345678901234567890123456789",
                "KeyAuth_Invalid",
            ),
            (
                "type=chatsend&ownerid=tiQhtH5R88&name=nobody&sessionid=0000000000",
                "KeyAuth_Invalid",
            ),
            ("type=bogus&ownerid=tiQhtH5R88&name=test", NO_TYPE),
            ("type=&ownerid=tiQhtH5R88&name=test", NO_TYPE),
            ("ownerid=tiQhtH5R88&name=test", NO_TYPE),
            ("type=CHATSEND&ownerid=tiQhtH5R88&name=test", NO_TYPE),
        ];
        for (body, answer) in cases {
            for door in ["/api/1.2/", "/api/1.1/", "/api/1.2"] {
                unsigned(&server.post_form(door, body), answer);
                unsigned(&server.get(&format!("{door}?{body}"), &[]), answer);
            }
        }
    });
}

#[test]
fn a_send_is_checked_in_the_order_of_the_service() {
    nothing_reaches_far(|server| {
        let long = "a".repeat(2001);
        // session exists → validated → channel exists → delay → blank → length
        unsigned(&send(server, "0000000000", "nowhere", ""), NO_SESSION);
        unsigned(&send(server, "", "nowhere", ""), NO_SESSION);
        let no_session = format!("type=chatsend&{APP}&channel=nowhere&message=");
        unsigned(&call(server, &no_session), NO_SESSION);
        let session = opened(server);
        signed(&send(server, &session, "nowhere", ""), NOT_VALIDATED);
        signed(&send(server, &session, "", ""), NOT_VALIDATED);
        signed(&send(server, &session, "lobby", &long), NOT_VALIDATED);

        let session = alice(server);
        signed(&send(server, &session, "nowhere", ""), NO_CHANNEL);
        signed(&send(server, &session, "nowhere", &long), NO_CHANNEL);
        signed(&send(server, &session, "", "hello"), NO_CHANNEL);
        signed(&send(server, &session, "lobby", ""), BLANK);
        signed(&send(server, &session, "lobby", "+%20%09%0A"), BLANK);
        let no_message = format!("type=chatsend&{APP}&sessionid={session}&channel=lobby");
        signed(&call(server, &no_message), BLANK);
        signed(&send(server, &session, "lobby", &"+".repeat(2001)), BLANK);
        signed(&send(server, &session, "lobby", &long), TOO_LONG);
        // The limit counts bytes.
        let euros = "%E2%82%AC".repeat(667);
        signed(&send(server, &session, "lobby", &euros), TOO_LONG);
    });
}

#[test]
fn a_channel_with_a_delay_is_slow_before_it_looks_at_the_message() {
    let server = at_home();
    let session = alice(&server);
    // Nothing was sent yet: what is refused does not start the delay.
    signed(&send(&server, &session, "slow", ""), BLANK);
    signed(
        &send(&server, &session, "slow", &"a".repeat(2001)),
        TOO_LONG,
    );
    assert_eq!(
        send(&server, &session, "slow", &"a".repeat(2000)).member("message"),
        "Successfully sent chat message"
    );
    for message in ["again", "", "+", &"a".repeat(2001)] {
        signed(&send(&server, &session, "Slow", message), SLOWER);
    }
    // One person's delay, in one channel.
    assert!(send(&server, &session, "den", "hello").json()["success"] == true);
    let bob = signed_in(&server, "bob", "battery");
    assert!(send(&server, &bob, "slow", "hello").json()["success"] == true);
    signed(&send(&server, &bob, "slow", "hello"), SLOWER);
    assert_eq!(
        read(&server, &bob, "slow").json()["messages"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn a_message_comes_back_as_it_was_sent() {
    let server = at_home();
    let session = alice(&server);
    let reply = send(
        &server,
        &session,
        "lobby",
        "na%C3%AFve+%3Cb%3E+50%25+%26+%2B+%22%2F%F0%9F%98%80",
    );
    let nonce = reply.member("nonce");
    signed(
        &reply,
        &format!(
            r#"{{"success":true,"message":"Successfully sent chat message","nonce":"{nonce}"}}"#
        ),
    );
    let reply = read(&server, &session, "LOBBY");
    let (nonce, at) = (
        reply.member("nonce"),
        reply.json()["messages"][0]["timestamp"].as_i64().unwrap(),
    );
    signed(
        &reply,
        &format!(
            r#"{{"success":true,"message":"Successfully retrieved chat messages","messages":[{{"author":"alice","message":"na\u00efve <b> 50% & + \"\/\ud83d\ude00","timestamp":{at}}}],"nonce":"{nonce}"}}"#
        ),
    );
    let now = i64::try_from(now_ms() / 1000).unwrap();
    assert!((now - 30..=now).contains(&at), "{at}");
}

#[test]
fn a_list_of_an_unknown_channel_is_empty() {
    nothing_reaches_far(|server| {
        unsigned(&read(server, "0000000000", "nowhere"), NO_SESSION);
        signed(&read(server, &opened(server), "nowhere"), NOT_VALIDATED);
        let session = alice(server);
        let none = format!("type=chatget&{APP}&sessionid={session}");
        for reply in [
            read(server, &session, "nowhere"),
            read(server, &session, ""),
            read(server, &session, ".."),
            call(server, &none),
        ] {
            let nonce = reply.member("nonce");
            signed(
                &reply,
                &format!(
                    r#"{{"success":true,"message":"Successfully retrieved chat messages","messages":[],"nonce":"{nonce}"}}"#
                ),
            );
        }
    });
}

#[test]
fn lists_reach_back_fifty_messages_oldest_first() {
    let server = at_home();
    let session = alice(&server);
    for number in 0..53 {
        send(&server, &session, "den", &format!("m{number}"));
    }
    let list = read(&server, &session, "den").json();
    let texts: Vec<&str> = list["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["message"].as_str().unwrap())
        .collect();
    assert_eq!((texts.len(), texts[0], texts[49]), (50, "m3", "m52"));
}

#[test]
fn signing_in_tells_which_half_was_wrong_and_leaves_the_session_unvalidated() {
    nothing_reaches_far(|server| {
        let session = opened(server);
        let login = |rest: &str| call(server, &format!("{APP}&sessionid={session}&{rest}"));
        signed(&login("type=login&username=nobody&pass=x"), NO_USER);
        signed(&login("type=login&username=&pass="), NO_USER);
        signed(&login("type=login&pass=x"), NO_USER);
        signed(&login("type=login&username=alice&pass=wrong"), NO_PASSWORD);
        signed(&login("type=login&username=alice&pass="), NO_PASSWORD);
        signed(&login("type=login&username=alice"), NO_PASSWORD);
        // bob has no licence, and no licence is nobody's.
        signed(&login("type=license&key="), NO_LICENCE);
        signed(&login("type=license&key=wrong"), NO_LICENCE);
        signed(&login("type=license"), NO_LICENCE);
        signed(
            &login("type=register&username=x&pass=y&key=wrong"),
            NO_LICENCE,
        );
        signed(
            &login("type=register&username=x&pass=y&key=ALICE-LICENCE-1"),
            r#"{"success":false,"message":"Username already taken, choose a different one"}"#,
        );
        signed(&login("type=check"), NOT_VALIDATED);
        let elsewhere = |rest: &str| call(server, &format!("{APP}&sessionid=0000000000&{rest}"));
        unsigned(&elsewhere("type=login&username=nobody&pass=x"), NO_SESSION);
        unsigned(&elsewhere("type=license&key=wrong"), NO_SESSION);
        unsigned(&elsewhere("type=check"), NO_SESSION);
        unsigned(&elsewhere("type=logout"), NO_SESSION);
    });
}

#[test]
fn a_session_goes_from_opening_to_logging_out() {
    let server = at_home();
    let session = opened(&server);
    assert!(session.len() == 10 && session.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let login = format!("type=license&{APP}&sessionid={session}&key=ALICE-LICENCE-1&hwid=S-1-5");
    let reply = call(&server, &login);
    let nonce = reply.member("nonce");
    assert!(nonce.len() == 32 && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    signed(
        &reply,
        &format!(
            r#"{{"success":true,"message":"Logged in!","info":{{"username":"alice","subscriptions":[{{"subscription":"default","key":"none","expiry":"2147483647","timeleft":315360000,"level":"1"}}],"ip":"127.0.0.1","hwid":"S-1-5","createdate":"0","lastlogin":"0"}},"nonce":"{nonce}"}}"#
        ),
    );
    let check = format!("type=check&{APP}&sessionid={session}");
    let reply = call(&server, &check);
    let second = reply.member("nonce");
    assert_ne!(nonce, second);
    signed(
        &reply,
        &format!(r#"{{"success":true,"message":"Session is validated.","nonce":"{second}"}}"#),
    );
    let reply = call(&server, &format!("type=logout&{APP}&sessionid={session}"));
    let nonce = reply.member("nonce");
    signed(
        &reply,
        &format!(r#"{{"success":true,"message":"Successfully logged out.","nonce":"{nonce}"}}"#),
    );
    unsigned(&call(&server, &check), NO_SESSION);
    unsigned(&send(&server, &session, "lobby", "hello"), NO_SESSION);
}

#[test]
fn two_programs_at_one_address_have_sessions_of_their_own() {
    let server = at_home();
    let (first, second) = (alice(&server), opened(&server));
    assert_ne!(first, second);
    let check = |session: &str| call(&server, &format!("type=check&{APP}&sessionid={session}"));
    assert_eq!(check(&first).json()["success"], true);
    signed(&check(&second), NOT_VALIDATED);
    let third = signed_in(&server, "bob", "battery");
    assert!(send(&server, &first, "den", "from+alice").json()["success"] == true);
    assert!(send(&server, &third, "den", "from+bob").json()["success"] == true);
    let list = read(&server, &first, "den").json();
    assert_eq!(list["messages"][0]["author"], "alice");
    assert_eq!(list["messages"][1]["author"], "bob");
}

#[test]
fn the_opening_is_sealed_with_the_applications_secret_alone() {
    let server = at_home();
    let init = |rest: &str| call(&server, &format!("type=init&{APP}&{rest}"));
    let reply = init(&format!("ver=1.0&hash=d41d8cd9&enckey={ENCKEY}"));
    let (session, nonce) = (reply.member("sessionid"), reply.member("nonce"));
    let fetch = r"N\/A - Use fetchStats() function in latest example";
    assert_eq!(
        told(&reply),
        format!(
            r#"{{"success":true,"message":"Initialized","sessionid":"{session}","appinfo":{{"numUsers":"{fetch}","numOnlineUsers":"{fetch}","numKeys":"{fetch}","version":"1.0","customerPanelLink":"N\/A"}},"newSession":true,"nonce":"{nonce}"}}"#
        )
    );
    let right = hmac(SECRET, &reply.body);
    assert_eq!(reply.header("signature"), Some(right.as_str()));

    // Its mistakes likewise.
    let reply = init(&format!("ver=0.9&enckey={ENCKEY}"));
    assert_eq!(
        told(&reply),
        r#"{"success":false,"message":"invalidver","download":"https:\/\/a.example\/new.exe"}"#
    );
    let right = hmac(SECRET, &reply.body);
    assert_eq!(reply.header("signature"), Some(right.as_str()));
    // 35 bytes are a key, 36 are not; and the key is looked at before the version.
    assert!(init(&format!("enckey={}", "k".repeat(35))).json()["success"] == true);
    unsigned(
        &init(&format!("ver=0.9&enckey={}", "k".repeat(36))),
        r#"{"success":false,"message":"The paramater \"enckey\" is too long. Must be 35 characters or less."}"#,
    );
}

#[test]
fn without_a_key_the_header_says_so() {
    let server = at_home();
    let missing = Some("No encryption key supplied");
    let reply = call(&server, &format!("type=init&{APP}"));
    assert_eq!(reply.header("signature"), missing);
    let session = reply.member("sessionid");
    let reply = send(&server, &session, "lobby", "hello");
    assert_eq!(
        (told(&reply), reply.header("signature")),
        (NOT_VALIDATED, missing)
    );
    unsigned(&send(&server, "0000000000", "lobby", "hello"), NO_SESSION);
}

#[test]
fn version_1_1_has_neither_nonce_nor_signature() {
    let server = at_home();
    let call = |body: &str| server.post_form("/api/1.1/", format!("{APP}&{body}"));
    let reply = call(&format!("type=init&ver=1.0&enckey={ENCKEY}"));
    let session = reply.member("sessionid");
    let json = reply.json();
    assert!(json.get("nonce").is_none() && json.get("newSession").is_none());
    let with = |rest: &str| call(&format!("sessionid={session}&{rest}"));
    unsigned(&with("type=check"), NOT_VALIDATED);
    let reply = with("type=login&username=alice&pass=correct+horse");
    assert!(reply.json()["success"] == true && reply.json().get("nonce").is_none());
    unsigned(
        &with("type=chatsend&channel=den&message=hello"),
        r#"{"success":true,"message":"Successfully sent chat message"}"#,
    );
    let list = with("type=chatget&channel=den");
    assert_eq!(list.header("signature"), None);
    assert!(list.text().ends_with("}]}"), "{}", list.text());
    unsigned(
        &with("type=logout"),
        r#"{"success":true,"message":"Successfully logged out."}"#,
    );
}

#[test]
fn the_documented_seals_come_out() {
    // docs.keyauth.cc, "Security practices".
    let init = r#"{"success":true,"message":"Initialized","sessionid":"b8Q1f62SdW","appinfo":{"numUsers":"6","numOnlineUsers":"120","numKeys":"1533","version":"1.0","customerPanelLink":"https:\/\/localhost\/panel\/wnelson03\/test\/"}}"#;
    let login = r#"{"success":true,"message":"Logged in!","info":{"username":"3Y8FC2-MRHKUO-U9RH8I-GNHD2U-THK4X8-PW584D","subscriptions":[{"subscription":"default","key":"3Y8FC2-MRHKUO-U9RH8I-GNHD2U-THK4X8-PW584D","expiry":"1659657607"},{"subscription":"default","key":null,"expiry":"1659749662"}],"ip":"::1","hwid":null,"createdate":"1659225608","lastlogin":"1659363059"}}"#;
    let first = "8d0a11b00f44bee4e563117db28533943f5170854f5f65e69470c59bffb7d0d5";
    let second = "e2993347290077c90011694bf887975117bff08897106f9c501d75c48102f721";
    // By this suite's own recomputation, and by what seals replies.
    assert_eq!(hmac(SECRET, init.as_bytes()), first);
    assert_eq!(
        hmac(&format!("{ENCKEY}-{SECRET}"), login.as_bytes()),
        second
    );
    use sabir::dialect::exchange::SealKey;
    let keys = sabir::model::SealKeys {
        application: sabir::model::Secret(SECRET.into()),
        session: sabir::model::Secret(ENCKEY.into()),
    };
    assert!(keys.verify(SealKey::Application, init.as_bytes(), first));
    assert!(keys.verify(SealKey::Session, login.as_bytes(), second));
    assert!(!keys.verify(SealKey::Session, init.as_bytes(), first));
    assert!(!keys.verify(SealKey::Application, init.as_bytes(), &first.to_uppercase()));
}

#[test]
fn requests_are_read_however_programs_write_them() {
    let server = at_home();
    let session = alice(&server);
    let sent = |reply: Reply| assert_eq!(reply.member("message"), "Successfully sent chat message");
    let fields = format!("type=chatsend&{APP}&sessionid={session}&channel=den");
    sent(call(&server, &format!("{fields}&message=form")));
    sent(server.get(&format!("/api/1.2/?{fields}&message=get"), &[]));
    sent(server.post_form(&format!("/api/1.2/?{fields}&message=query"), ""));
    // A value in the body wins over the query's, one by one.
    sent(server.post_form(
        &format!("/api/1.2/?{fields}&message=not+this"),
        "message=both",
    ));
    // Bodies that were never escaped, and no content type at all.
    sent(call(&server, &format!("{fields}&message=100% raw é")));
    sent(server.request(
        "POST",
        "/api/1.2/",
        &[],
        format!("{fields}&message=untyped").as_bytes(),
    ));
    let parts = [
        "type=chatsend",
        "name=test",
        "ownerid=tiQhtH5R88",
        "channel=den",
        "message=multi\r\npart",
    ];
    let mut body = String::new();
    for part in parts
        .iter()
        .map(|part| part.to_string())
        .chain([format!("sessionid={session}")])
    {
        let (name, value) = part.split_once('=').unwrap();
        body += &format!(
            "--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += "--limit--\r\n";
    sent(server.request(
        "POST",
        "/api/1.2/",
        &["Content-Type: multipart/form-data; boundary=limit"],
        body.as_bytes(),
    ));
    let list = read(&server, &session, "den").json();
    let texts: Vec<&str> = list["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["message"].as_str().unwrap())
        .collect();
    let all = [
        "form",
        "get",
        "query",
        "both",
        "100% raw é",
        "untyped",
        "multi\r\npart",
    ];
    assert_eq!(texts, all);
}

#[test]
fn a_json_body_is_read_too_and_a_broken_one_is_refused() {
    nothing_reaches_far(|server| {
        let json = ["Content-Type: application/json"];
        let session = alice(server);
        let post = |body: &str| server.request("POST", "/api/1.2/", &json, body.as_bytes());
        let reply = post(&format!(
            r#"{{"type":"chatsend","name":"test","ownerid":"tiQhtH5R88","sessionid":"{session}","channel":"den","message":"json"}}"#
        ));
        assert_eq!(reply.member("message"), "Successfully sent chat message");
        for body in [
            r#"{"type":"chatsend","#,
            r#"{"type":"init","name":"test","ownerid":"tiQhtH5R88","ownerid":"otherOwner"}"#,
            "[[[[",
        ] {
            let reply = post(body);
            assert!(
                told(&reply).starts_with(r#"{"success":false,"message":"#),
                "{body}"
            );
        }
    });
}

#[test]
fn text_that_is_not_utf8_is_refused_and_not_mended() {
    nothing_reaches_far(|server| {
        let session = alice(server);
        let fields = format!("type=chatsend&{APP}&sessionid={session}");
        for rest in [
            &b"channel=lobby&message=%FF"[..],
            b"channel=lobby&message=%C3",
            b"channel=lobby&message=\xff\xfe",
            b"channel=l%FFobby&message=hello",
        ] {
            let body = [fields.as_bytes(), b"&", rest].concat();
            let reply = call_bytes(server, &body);
            let text = told(&reply);
            assert!(text.starts_with(r#"{"success":false,"message":"#), "{text}");
            assert!(text.contains("UTF-8"), "{text}");
            if let Ok(query) = std::str::from_utf8(&body) {
                assert!(server.get(&format!("/api/1.2/?{query}"), &[]).json()["success"] == false);
            }
        }
    });
}

fn call_bytes(server: &Server, body: &[u8]) -> Reply {
    server.post_form("/api/1.2/", body)
}

#[test]
fn what_chat_programs_ask_on_their_way_is_answered_politely() {
    nothing_reaches_far(|server| {
        let session = alice(server);
        let ask = |kind: &str| call(server, &format!("type={kind}&{APP}&sessionid={session}"));
        unsigned(&ask("log"), "");
        signed(
            &ask("fetchOnline"),
            r#"{"success":false,"message":"No online users found!"}"#,
        );
        signed(
            &ask("getvar"),
            r#"{"success":false,"message":"Variable not found for user"}"#,
        );
        assert_eq!(ask("fetchStats").json()["appinfo"]["version"], "1.0");
        // Methods that the one script behind the path never had.
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
            let reply = server.request(method, "/api/1.2/", &[], b"");
            assert_eq!(told(&reply), NO_TYPE, "{method}");
        }
    });
}
