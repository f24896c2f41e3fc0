//! Glimesh as a server over HTTP, on `local`: what its programs send, and what they get.

mod support;

use support::running::{Answer, Sabir};

const CONFIG: &str = r#"
[[account]]
name = "Mytho"
token = "mytho-token"

[[account]]
name = "AFaithfulServant"
token = "servant-token"

[[application]]
name = "bot"
glimesh = { client_id = "3f1c", client_secret = "s3cr3t", owner = "AFaithfulServant" }

[[channel]]
name = "mytho"
title = "Live!"
owner = "Mytho"
ids = { glimesh = 6 }

[[channel]]
name = "other"
ids = { glimesh = 7 }
"#;

const DOOR: &str = "/api/graph";
const SERVANT: (&str, &str) = ("Authorization", "Bearer servant-token");
const MYTHO: (&str, &str) = ("Authorization", "Bearer mytho-token");
const PROGRAM: (&str, &str) = ("Authorization", "Client-ID 3f1c");

fn raw(sabir: &Sabir, text: &str) -> Answer {
    sabir.ask("POST", DOOR, &[SERVANT], text)
}

fn json(sabir: &Sabir, door: &str, text: &str, variables: &str) -> Answer {
    let query = serde_json::to_string(text).unwrap();
    let body = format!(r#"{{"query":{query},"variables":{variables}}}"#);
    let headers = [SERVANT, ("Content-Type", "application/json")];
    sabir.ask("POST", door, &headers, &body)
}

fn document(name: &str) -> String {
    let path = format!(
        "{}/tests/glimesh_queries/{name}.graphql",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn send(sabir: &Sabir, text: &str) -> Answer {
    let text = format!(
        "mutation {{ createChatMessage(channelId: 6, message: {{message: \"{text}\"}}) {{ id }} }}"
    );
    raw(sabir, &text)
}

#[test]
fn the_documented_examples() {
    let sabir = Sabir::start(CONFIG);
    let id = raw(&sabir, &document("01-docs-channel-id"));
    assert_eq!(
        (id.status, id.body.as_str()),
        (200, r#"{"data":{"channel":{"id":"6"}}}"#)
    );
    assert_eq!(
        id.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(id.header("access-control-allow-origin"), Some("*"));
    let sent = raw(&sabir, &document("03-docs-create-message"));
    let at = sent.json()["data"]["createChatMessage"]["insertedAt"].to_string();
    assert_eq!(at.len(), "\"2021-01-08T05:03:44\"".len());
    assert_eq!(
        sent.body,
        format!(
            r#"{{"data":{{"createChatMessage":{{"insertedAt":{at},"message":"MESSAGE","user":{{"username":"AFaithfulServant"}}}}}}}}"#
        )
    );
    let last = raw(&sabir, &document("02-docs-last-messages-commas"));
    assert_eq!(
        last.body,
        r#"{"data":{"channel":{"chatMessages":{"edges":[{"node":{"message":"MESSAGE","user":{"avatarUrl":null,"username":"AFaithfulServant"}}}]}}}}"#
    );
}

/// Each query with the answer's body, which is always told under 200.
fn answers(cases: &[(&str, &str)]) {
    let sabir = Sabir::start(CONFIG);
    let mut wrong = Vec::new();
    for (query, wanted) in cases {
        let answer = raw(&sabir, query);
        if answer.status != 200 || answer.body != *wanted {
            wrong.push(format!(
                "{query}\n wanted 200 {wanted}\n got    {} {}",
                answer.status, answer.body
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn errors_of_documents_are_told_in_absinthes_words() {
    answers(&[
        (
            "query {\n  channel(id: 6) {\n    avatar\n  }\n}",
            r#"{"errors":[{"locations":[{"column":5,"line":3}],"message":"Cannot query field \"avatar\" on type \"Channel\"."}]}"#,
        ),
        (
            "{ channel(id: 6) { streamer { avatar } } }",
            r#"{"errors":[{"locations":[{"column":31,"line":1}],"message":"Cannot query field \"avatar\" on type \"User\". Did you mean \"avatarUrl\"?"}]}"#,
        ),
        (
            "{ channel(id: 6) { chatMessages(last: 1) { edges { node { tokens { src } } } } } }",
            r#"{"errors":[{"locations":[{"column":68,"line":1}],"message":"Cannot query field \"src\" on type \"ChatMessageToken\". Did you mean to use an inline fragment on \"EmoteToken\"?"}]}"#,
        ),
        (
            "{ channel(username: \"x\") { id } }",
            r#"{"errors":[{"locations":[{"column":11,"line":1}],"message":"Unknown argument \"username\" on field \"channel\" of type \"RootQueryType\"."}]}"#,
        ),
        (
            "mutation { createChatMessage(message: {message: \"x\"}) { id } }",
            r#"{"errors":[{"locations":[{"column":12,"line":1}],"message":"In argument \"channelId\": Expected type \"ID!\", found null."}]}"#,
        ),
        (
            "mutation { createChatMessage(channelId: true, message: {message: 1}) { id } }",
            r#"{"errors":[{"locations":[{"column":30,"line":1}],"message":"Argument \"channelId\" has invalid value true."},{"locations":[{"column":47,"line":1}],"message":"Argument \"message\" has invalid value {message: 1}.\nIn field \"message\": Expected type \"String\", found 1."}]}"#,
        ),
        (
            "{ channel(id: 6) { streamer } }",
            r#"{"errors":[{"locations":[{"column":20,"line":1}],"message":"Field \"streamer\" of type \"User!\" must have a selection of subfields. Did you mean \"streamer { ... }\"?"}]}"#,
        ),
        (
            "query Op($x: Int) { myself { id } }",
            r#"{"errors":[{"locations":[{"column":10,"line":1}],"message":"Variable \"x\" is never used in operation \"Op\"."}]}"#,
        ),
        (
            "query Op { user(id: $x) { id } }",
            r#"{"errors":[{"locations":[{"column":21,"line":1}],"message":"Variable \"x\" is not defined by operation \"Op\"."}]}"#,
        ),
        (
            "query ($id: ID!) { channel(id: $id) { id } }",
            r#"{"errors":[{"locations":[{"column":8,"line":1}],"message":"Variable \"id\": Expected non-null, found null."}]}"#,
        ),
        (
            "{ myself { ...x } }",
            r#"{"errors":[{"locations":[{"column":12,"line":1}],"message":"Unknown fragment \"x\""}]}"#,
        ),
        (
            "{ myself { id } } fragment x on User { id }",
            r#"{"errors":[{"locations":[{"column":19,"line":1}],"message":"Fragment \"x\" is never used."}]}"#,
        ),
        (
            "query A { myself { id } } query B { myself { id } }",
            r#"{"errors":[{"locations":[{"column":1,"line":1}],"message":"Must provide a valid operation name if query contains multiple operations.\n\nNo operation name was given.\n"}]}"#,
        ),
        (
            "{\n  channel(id: 6) { }\n}",
            r#"{"errors":[{"locations":[{"column":20,"line":2}],"message":"syntax error before: '}'"}]}"#,
        ),
        (
            "{ myself %%%%%%%%%%%%% }",
            r#"{"errors":[{"locations":[{"column":10,"line":1}],"message":"Parsing failed at `%%%%%%%%%%`"}]}"#,
        ),
        (
            "# nothing but this",
            r#"{"errors":[{"locations":[{"column":1,"line":1}],"message":"No operations provided."}]}"#,
        ),
        (
            "{ channel(id: 6) { chatMessages(after: \"x\") { count } } }",
            r#"{"data":{"channel":{"chatMessages":null}},"errors":[{"locations":[{"column":20,"line":1}],"message":"Invalid cursor provided as `after` argument","path":["channel","chatMessages"]}]}"#,
        ),
        (
            "{ channel(id: 6) { chatMessages(last: null) { count } } }",
            r#"{"data":{"channel":{"chatMessages":null}},"errors":[{"locations":[{"column":20,"line":1}],"message":"You must either supply `:first` or `:last`","path":["channel","chatMessages"]}]}"#,
        ),
        (
            "{ channel(streamerUsername: \"nobody\") { id } user(username: \"nobody\") { id } }",
            r#"{"data":{"channel":null,"user":null},"errors":[{"locations":[{"column":3,"line":1}],"message":"Could not find resource","path":["channel"]},{"locations":[{"column":46,"line":1}],"message":"Could not find resource","path":["user"]}]}"#,
        ),
        (
            "{ channel { id } }",
            r#"{"data":{"channel":null},"errors":[{"locations":[{"column":3,"line":1}],"message":"Could not find resource","path":["channel"]}]}"#,
        ),
        (
            "mutation { createChatMessage(channelId: 6, message: {message: \"  \"}) { id } }",
            r#"{"data":{"createChatMessage":null},"errors":[{"locations":[{"column":12,"line":1}],"message":"message: can't be blank","path":["createChatMessage"]}]}"#,
        ),
        (
            "mutation { createChatMessage(channelId: 6, message: {message: \"\"}) { id } }",
            r#"{"data":{"createChatMessage":null},"errors":[{"locations":[{"column":12,"line":1}],"message":"message: can't be blank","path":["createChatMessage"]}]}"#,
        ),
    ]);
}

#[test]
fn names_are_folded_and_keys_are_as_written() {
    answers(&[
        (
            "{ channel(ID: 6) { mature_content cid: id, TITLE streamer { USERNAME avatarURL } & __typename } }",
            r#"{"data":{"channel":{"TITLE":"Live!","__typename":"Channel","cid":"6","mature_content":null,"streamer":{"USERNAME":"Mytho","avatarURL":null}}}}"#,
        ),
        (
            "{ channel(id: \"6\", streamerUsername: \"x\") { title @skip(if: true) id @include(if: true) ... on Channel { language } ... { backend } } }",
            r#"{"data":{"channel":{"backend":null,"id":"6","language":null}}}"#,
        ),
        (
            "{ users { count edges { cursor node { username } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }",
            r#"{"data":{"users":{"count":2,"edges":[{"cursor":"YXJyYXljb25uZWN0aW9uOjA=","node":{"username":"Mytho"}},{"cursor":"YXJyYXljb25uZWN0aW9uOjE=","node":{"username":"AFaithfulServant"}}],"pageInfo":{"endCursor":"YXJyYXljb25uZWN0aW9uOjE=","hasNextPage":false,"hasPreviousPage":false,"startCursor":"YXJyYXljb25uZWN0aW9uOjA="}}}}"#,
        ),
        (
            "{ users(last: 1) { count edges { node { username } } pageInfo { hasPreviousPage startCursor } } }",
            r#"{"data":{"users":{"count":1,"edges":[{"node":{"username":"AFaithfulServant"}}],"pageInfo":{"hasPreviousPage":true,"startCursor":"YXJyYXljb25uZWN0aW9uOjE="}}}}"#,
        ),
        (
            "{ channels(first: 1) { count edges { node { id } } pageInfo { hasNextPage } } myself { username channel { id } } }",
            r#"{"data":{"channels":{"count":1,"edges":[{"node":{"id":"6"}}],"pageInfo":{"hasNextPage":true}},"myself":{"channel":null,"username":"AFaithfulServant"}},"errors":[{"locations":[{"column":97,"line":1}],"message":"Could not find resource","path":["myself","channel"]}]}"#,
        ),
        (
            "{ __type(name: \"ChatMessageToken\") { kind name possibleTypes { name } } __schema { queryType { name } } }",
            r#"{"data":{"__schema":{"queryType":{"name":"RootQueryType"}},"__type":{"kind":"INTERFACE","name":"ChatMessageToken","possibleTypes":[{"name":"TextToken"},{"name":"UrlToken"},{"name":"EmoteToken"}]}}}"#,
        ),
    ]);
}

#[test]
fn every_known_document_is_answered() {
    let sabir = Sabir::start(CONFIG);
    let id = send(&sabir, "hi http://a.example :wave: x").json()["data"]["createChatMessage"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let tokens = raw(&sabir, &document("04-docs-tokens-inline-fragments")).json();
    let node = &tokens["data"]["channel"]["chatMessages"]["edges"][0]["node"];
    assert_eq!(
        node["tokens"].to_string(),
        r#"[{"text":"hi ","type":"text"},{"text":"http://a.example","type":"url","url":"http://a.example"},{"text":" ","type":"text"},{"text":":wave:","type":"text"},{"text":" x","type":"text"}]"#
    );
    let app = json(
        &sabir,
        DOOR,
        &document("05-app-some-messages-vars-metadata"),
        r#"{"channelId":"6"}"#,
    );
    let app = app.json();
    let node = &app["data"]["channel"]["chatMessages"]["edges"][0]["node"];
    assert_eq!(
        (node["id"].as_str(), &node["metadata"]["admin"]),
        (Some(id.as_str()), &serde_json::json!(false)),
        "{app}"
    );
    let sent = json(
        &sabir,
        DOOR,
        &document("07-app-send-var-inside-object"),
        r#""{\"channelId\":\"6\",\"message\":\"hi\"}""#,
    );
    assert!(
        sent.json()["data"]["createChatMessage"]["id"].is_string(),
        "{}",
        sent.body
    );
    let stats = raw(
        &sabir,
        &document("12-glimboi-stats-string-id-nested-connection"),
    );
    assert_eq!(
        stats.body,
        r#"{"data":{"channel":{"stream":null,"streamer":{"countFollowers":null}}}}"#
    );
    let old = json(
        &sabir,
        "/api",
        &document("14-glimeshchat-npm-old-moderators"),
        "{}",
    );
    assert_eq!(old.body, r#"{"data":{"channel":{"moderators":[]}}}"#);
    let old = json(
        &sabir,
        "/api",
        "{ channel(id: 6) { chatMessages { message user { avatar } } } users { username } channels { id } }",
        "null",
    );
    assert_eq!(
        old.body,
        r#"{"data":{"channel":{"chatMessages":[{"message":"hi http://a.example :wave: x","user":{"avatar":null}},{"message":"hi","user":{"avatar":null}}]},"channels":[{"id":"6"},{"id":"7"}],"users":[{"username":"Mytho"},{"username":"AFaithfulServant"}]}}"#
    );
    let page = raw(&sabir, &document("18-docs-pagination-before-comments"));
    assert_eq!(page.status, 200);
    let two = json(
        &sabir,
        DOOR,
        &document("90-synthetic-aliases-named-fragment"),
        "{}",
    )
    .json();
    assert_eq!(two["data"]["a"]["cid"], "6", "{two}");
    assert_eq!(two["data"]["b"]["chatMessages"]["count"], 0, "{two}");
    assert_eq!(
        two["data"]["a"]["chatMessages"]["edges"][0]["node"]["user"]["u"],
        "AFaithfulServant"
    );
    let gone = document("20-docs-delete-message").replace("999", &id);
    let gone = sabir.ask("POST", DOOR, &[MYTHO], &gone).json();
    assert_eq!(
        gone["data"]["deleteChatMessage"]["action"], "delete_message",
        "{gone}"
    );
    for subscription in [
        "10-glimboi-subscription-interface-fragment",
        "16-every-chat-firehose",
    ] {
        let answer = raw(&sabir, &document(subscription));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (
                405,
                r#"{"errors":[{"message":"Subscriptions cannot be run over HTTP. Please configure a websocket connection"}]}"#
            )
        );
    }
}

#[test]
fn http_forms_and_statuses() {
    let sabir = Sabir::start(CONFIG);
    let query = "{ myself { username } }";
    let good = r#"{"data":{"myself":{"username":"AFaithfulServant"}}}"#;
    let encoded = "query=%7B%20myself%20%7B%20username%20%7D%20%7D";
    let ask = |method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
        let answer = sabir.ask(method, target, headers, body);
        (answer.status, answer.body)
    };
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let typed = ("Content-Type", "application/json");
    let door_query = format!("{DOOR}?{encoded}");
    for (what, got) in [
        (
            "text/plain",
            ask(
                "POST",
                DOOR,
                &[SERVANT, ("Content-Type", "text/plain;charset=UTF-8")],
                query,
            ),
        ),
        (
            "graphql",
            ask(
                "POST",
                DOOR,
                &[SERVANT, ("Content-Type", "application/graphql")],
                query,
            ),
        ),
        ("form", ask("POST", DOOR, &[SERVANT, form], encoded)),
        ("get", ask("GET", &door_query, &[SERVANT], "")),
        ("get with a body", ask("GET", DOOR, &[SERVANT], query)),
        (
            "post with a query string",
            ask("POST", &door_query, &[SERVANT], ""),
        ),
        (
            "lower case",
            ask(
                "POST",
                DOOR,
                &[("Authorization", "bearer servant-token")],
                query,
            ),
        ),
    ] {
        assert_eq!(got, (200, good.to_owned()), "{what}");
    }
    let no_document = r#"{"errors":[{"message":"No query document supplied"}]}"#;
    let nobody = r#"{"errors":[{"message":"You must be logged in to access the api"}]}"#;
    let invalid = r#"{"errors":[{"header_error":"invalid_access_token","message":"Given access token is invalid, revoked, or expired."}]}"#;
    let unknown = "mutation { createChatMessage(channelId: 66, message: {message: \"x\"}) { id } }";
    let get_mutation = format!(
        "{DOOR}?query=mutation%7BcreateChatMessage(channelId:6,message:%7Bmessage:%22x%22%7D)%7Bid%7D%7D"
    );
    for (what, got, wanted) in [
        (
            "nothing",
            ask("POST", DOOR, &[SERVANT], ""),
            (400, no_document),
        ),
        (
            "eaten by the form",
            ask("POST", DOOR, &[SERVANT, form], query),
            (400, no_document),
        ),
        (
            "no json",
            ask("POST", DOOR, &[SERVANT, typed], query),
            (400, "Bad Request"),
        ),
        ("nobody", ask("POST", DOOR, &[], query), (401, nobody)),
        ("options", ask("OPTIONS", DOOR, &[], ""), (401, nobody)),
        (
            "bad token",
            ask("POST", DOOR, &[("Authorization", "Bearer x")], query),
            (401, invalid),
        ),
        (
            "unknown program",
            ask("POST", DOOR, &[("Authorization", "Client-ID x")], query),
            (401, nobody),
        ),
        (
            "unknown channel",
            ask("POST", DOOR, &[SERVANT], unknown),
            (404, "\"Not Found\""),
        ),
        (
            "page",
            ask("POST", DOOR, &[SERVANT, ("Accept", "text/html")], query),
            (406, "Not Acceptable"),
        ),
        (
            "mutation by get",
            ask("GET", &get_mutation, &[SERVANT], ""),
            (
                405,
                r#"{"errors":[{"message":"Can only perform a mutation from a POST request"}]}"#,
            ),
        ),
        (
            "variables",
            ask(
                "POST",
                DOOR,
                &[SERVANT, typed],
                r#"{"query":"{a}","variables":"{"}"#,
            ),
            (
                400,
                r#"{"errors":[{"message":"The variable values could not be decoded"}]}"#,
            ),
        ),
        (
            "no map",
            ask(
                "POST",
                DOOR,
                &[SERVANT, typed],
                r#"{"query":"{a}","variables":[]}"#,
            ),
            (
                400,
                r#"{"errors":[{"message":"Variables must be a map."}]}"#,
            ),
        ),
        (
            "batch",
            ask(
                "POST",
                DOOR,
                &[SERVANT, typed],
                r#"[{"id":"1","query":"{ myself { username } }"},{"query":"{x}"}]"#,
            ),
            (
                200,
                r#"[{"id":"1","payload":{"data":{"myself":{"username":"AFaithfulServant"}}}},{"payload":{"errors":[{"locations":[{"column":2,"line":1}],"message":"Cannot query field \"x\" on type \"RootQueryType\"."}]}}]"#,
            ),
        ),
        (
            "program reads",
            ask("POST", DOOR, &[PROGRAM], "{ channel(id: 6) { id } }"),
            (200, r#"{"data":{"channel":{"id":"6"}}}"#),
        ),
        (
            "program sends",
            ask(
                "POST",
                DOOR,
                &[PROGRAM],
                "mutation { createChatMessage(channelId: 6, message: {message: \"x\"}) { id } }",
            ),
            (
                200,
                r#"{"data":{"createChatMessage":null},"errors":[{"locations":[{"column":12,"line":1}],"message":"unauthorized","path":["createChatMessage"]}]}"#,
            ),
        ),
    ] {
        assert_eq!(got, (wanted.0, wanted.1.to_owned()), "{what}");
    }
}

#[test]
fn programs_get_tokens_whose_scope_counts() {
    let sabir = Sabir::start(CONFIG);
    let token = |scope: &str| {
        let answer = sabir.post_form(
            "/api/oauth/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_id", "3f1c"),
                ("client_secret", "s3cr3t"),
                ("scope", scope),
            ],
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        assert_eq!(
            (&told["expires_in"], &told["scope"], &told["token_type"]),
            (&86400.into(), &scope.into(), &"bearer".into())
        );
        format!("Bearer {}", told["access_token"].as_str().unwrap())
    };
    let text = "mutation { createChatMessage(channelId: 6, message: {message: \"x\"}) { user { username } } }";
    let sent = sabir.ask(
        "POST",
        DOOR,
        &[("Authorization", &token("public chat"))],
        text,
    );
    assert_eq!(
        sent.body,
        r#"{"data":{"createChatMessage":{"user":{"username":"AFaithfulServant"}}}}"#
    );
    let refused = sabir.ask("POST", DOOR, &[("Authorization", &token("public"))], text);
    assert!(
        refused.body.contains("\"unauthorized\""),
        "{}",
        refused.body
    );
    let wrong = sabir.post_form(
        "/api/oauth/token",
        &[
            ("grant_type", "client_credentials"),
            ("client_id", "3f1c"),
            ("client_secret", "no"),
        ],
    );
    assert_eq!(wrong.status, 401, "{}", wrong.body);
    let refresh = sabir.post_form(
        "/api/oauth/token",
        &[
            ("grant_type", "refresh_token"),
            ("client_id", "3f1c"),
            ("client_secret", "s3cr3t"),
            ("refresh_token", "r"),
        ],
    );
    assert!(
        refresh.status == 400 && refresh.body.contains("invalid_grant"),
        "{}",
        refresh.body
    );
}

#[test]
fn three_sends_in_one_document_keep_their_order_and_fail_alone() {
    let sabir = Sabir::start(CONFIG);
    let text = "mutation { c: createChatMessage(channelId: 6, message: {message: \"1\"}) { message } b: createChatMessage(channelId: 6, message: {message: \" \"}) { message } a: createChatMessage(channelId: 6, message: {message: \"3\"}) { message } }";
    let answer = raw(&sabir, text);
    assert_eq!(
        answer.body,
        r#"{"data":{"a":{"message":"3"},"b":null,"c":{"message":"1"}},"errors":[{"locations":[{"column":84,"line":1}],"message":"message: can't be blank","path":["b"]}]}"#
    );
    let list = raw(
        &sabir,
        "{ channel(id: 6) { chatMessages { edges { node { message } } } } }",
    );
    assert_eq!(
        list.body,
        r#"{"data":{"channel":{"chatMessages":{"edges":[{"node":{"message":"1"}},{"node":{"message":"3"}}]}}}}"#
    );
}
