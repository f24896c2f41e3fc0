//! x
pub fn headers(token: &str) -> [&'static str; 2] {
    let authorization = format!("Authorization: Bearer {token}");
    [
        "Content-Type: application/json",
        Box::leak(authorization.into_boxed_str()),
    ]
}
