//! Header lines as a map.

use super::lines::malformed;
use crate::error::{UpgradeError, UpgradeErrorKind};
use http::header::{AUTHORIZATION, COOKIE, MaxSizeReached, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Collects header lines into a map, in their order.
pub(super) fn collect_headers(lines: &[httparse::Header<'_>]) -> Result<HeaderMap, UpgradeError> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(malformed)?;
        let mut value = HeaderValue::from_bytes(line.value).map_err(malformed)?;
        hide_credentials(&name, &mut value);
        headers.try_append(name, value).map_err(too_many)?;
    }
    Ok(headers)
}

/// Keeps credentials out of `Debug`, and so out of logs.
pub fn hide_credentials(name: &HeaderName, value: &mut HeaderValue) {
    if [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name) {
        value.set_sensitive(true);
    }
}

/// Returns the error for more headers than the most that `Limits::headers` documents.
pub(super) fn too_many(error: MaxSizeReached) -> UpgradeError {
    UpgradeError::new(
        UpgradeErrorKind::TooManyHeaders,
        "head has more headers than the limit of a header map",
    )
    .refusing(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    .with_cause(error)
}
