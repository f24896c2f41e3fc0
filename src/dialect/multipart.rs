//! Multipart bodies that are already in memory, read by `multer`.
//!
//! `multer` reads streams, so it is asked through a future; that future never waits, because all of the body is there.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use multer::Multipart;

/// The named fields in their order; `None` if the body is not what its boundary says or a field is not UTF-8.
pub fn fields(body: &[u8], boundary: &str) -> Option<Vec<(String, String)>> {
    let bytes = Bytes::copy_from_slice(body);
    let stream = futures_util::stream::once(async move { Ok::<Bytes, Infallible>(bytes) });
    let mut multipart = Multipart::new(stream, boundary);
    let reading = pin!(async move {
        let mut pairs = Vec::new();
        while let Some(field) = multipart.next_field().await.ok()? {
            let Some(name) = field.name().map(str::to_owned) else {
                continue;
            };
            let value = String::from_utf8(field.bytes().await.ok()?.to_vec()).ok()?;
            pairs.push((name, value));
        }
        Some(pairs)
    });
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(pairs) => pairs,
        Poll::Pending => None,
    }
}
