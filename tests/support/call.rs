//! A call of an upstream, with the request and the reply as the crate `http` has them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use sabir::dialect::fields::Fields;
use sabir::relay::upstream::{self, Client, Failure, Reply};
use tokio::time::Instant;

use super::case::lines;

pub async fn call(
    client: &Client,
    request: &Request<Bytes>,
    deadline: Instant,
) -> Result<Response<Bytes>, Failure> {
    let target = request.uri().path_and_query().unwrap().as_str();
    let said = upstream::Request {
        method: request.method(),
        target: target.as_bytes(),
        fields: &lines(request.headers()),
        body: request.body(),
    };
    let (reply, _) = client.call(&said, Instant::now(), deadline).await?;
    let heard = response(&reply);
    client.reuse(reply);
    Ok(heard)
}

pub fn response(reply: &Reply) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(reply.body()));
    *response.status_mut() = reply.status;
    for (name, value) in Fields(reply.head()).each() {
        // In the first line a colon ends no name.
        if let Ok(name) = HeaderName::from_bytes(name) {
            let value = HeaderValue::from_bytes(value).unwrap();
            response.headers_mut().append(name, value);
        }
    }
    response
}
