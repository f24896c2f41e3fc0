//! The crate `glimesh`, unmodified, over HTTP against Sabir.

mod support;

use glimesh::http::Connection;
use glimesh::{Auth, HttpConnectionError};
use graphql_client::GraphQLQuery;
use support::running::Sabir;

const CONFIG: &str = r#"
[[account]]
name = "Mytho"
token = "mytho-token"

[[application]]
name = "bot"
glimesh = { client_id = "3f1c", client_secret = "s3cr3t", owner = "Mytho" }

[[channel]]
name = "mytho"
owner = "Mytho"
ids = { glimesh = 6 }
"#;

macro_rules! queries {
    ($($name:ident),*) => { $(
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "mappings/glimesh.graphql",
            query_path = "tests/glimesh_crate/queries.graphql",
            response_derives = "Debug"
        )]
        pub struct $name;
    )* };
}

queries!(ChannelId, LastMessages, Send);

#[test]
fn a_program_on_the_crate_reads_and_sends() {
    let sabir = Sabir::start(CONFIG);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(program(format!("http://{}/api/graph", sabir.public)));
}

async fn program(url: String) {
    let client = |auth: Auth| {
        Connection::builder()
            .api_url(url.clone())
            .auth(auth)
            .finish()
            .into_client()
    };
    let known = client(Auth::access_token("mytho-token"));
    let named = |name: &str| channel_id::Variables {
        name: Some(name.to_owned()),
    };
    let found = known.query::<ChannelId>(named("mytho")).await.unwrap();
    assert_eq!(found.channel.unwrap().id.as_deref(), Some("6"));
    let message = |message: &str, id: &str| send::Variables {
        id: id.into(),
        message: message.into(),
    };
    for text in ["hello", "see https://sabir.example"] {
        known.mutate::<Send>(message(text, "6")).await.unwrap();
    }
    let last = known
        .query::<LastMessages>(last_messages::Variables { id: "6".into() })
        .await
        .unwrap();
    let page = last.channel.unwrap().chat_messages.unwrap();
    assert_eq!(page.count, Some(2));
    // What is unknown is a status on a change, and an error on a question.
    let unknown = known.mutate::<Send>(message("x", "66")).await;
    assert!(
        matches!(&unknown, Err(HttpConnectionError::BadStatus(404))),
        "{unknown:?}"
    );
    assert!(known.query::<ChannelId>(named("nobody")).await.is_err());
    let stranger = client(Auth::access_token("no-token"));
    let refused = stranger.query::<ChannelId>(named("mytho")).await;
    assert!(
        matches!(&refused, Err(HttpConnectionError::BadStatus(401))),
        "{refused:?}"
    );
    let reader = client(Auth::client_id("3f1c"));
    assert!(reader.query::<ChannelId>(named("mytho")).await.is_ok());
    assert!(reader.mutate::<Send>(message("x", "6")).await.is_err());
}
