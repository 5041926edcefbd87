//! Results as a page.

use super::results::Results;

/// Returns the results as a page that needs nothing else.
pub(crate) fn page(results: &Results) -> String {
    httpdate::fmt_http_date(results.date)
}
