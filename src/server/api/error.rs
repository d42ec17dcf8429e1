//! Why a call under `/api/` is not carried out, and how that is answered. Who may call at all is decided before, in `caller`.

use std::borrow::Cow;

use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode};
use serde_json::Value;

use crate::server::publish::problem;

/// Far smaller than the answer it becomes, so that it can be returned by value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ApiError {
    /// The request cannot be read.
    Unreadable(Cow<'static, str>),
    /// A field is wrong: its path, and what is allowed; never its value, which may be a secret at the wrong place.
    Field(String, Cow<'static, str>),
    /// More than a limit allows.
    TooLarge(String),
    /// There is no room just now: it is worth asking again in a second.
    Busy(String),
    /// It cannot be done any more, or somebody who is needed does not answer.
    Unavailable(&'static str),
}

impl ApiError {
    pub(super) fn field(path: impl Into<String>, allowed: impl Into<Cow<'static, str>>) -> Self {
        Self::Field(path.into(), allowed.into())
    }

    /// A worker stands still, or the server stops.
    pub(super) fn no_answer() -> Self {
        Self::Unavailable("a worker did not answer")
    }

    pub(super) fn answer(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status());
        if matches!(self, Self::Busy(_)) {
            response.insert_header(("retry-after", "1"));
        }
        response.json(self.problem())
    }

    /// What the answer says.
    pub(super) fn problem(&self) -> Value {
        let status = self.status().as_u16();
        match self {
            Self::Field(path, allowed) => {
                let mut problem = problem(status, &format!("`{path}` {allowed}"));
                problem["path"] = path.as_str().into();
                problem
            }
            Self::Unreadable(why) => problem(status, why),
            Self::TooLarge(why) | Self::Busy(why) => problem(status, why),
            Self::Unavailable(why) => problem(status, why),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Field(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_answered_with_its_status_and_says_what_is_wrong() {
        let cases = [
            (ApiError::Unreadable("cannot be read".into()), r#"{"error":"cannot be read","status":400}"#),
            (ApiError::field("a.b", "must be c"), r#"{"error":"`a.b` must be c","path":"a.b","status":422}"#),
            (ApiError::TooLarge("too large".to_owned()), r#"{"error":"too large","status":413}"#),
            (ApiError::Busy("no room".to_owned()), r#"{"error":"no room","status":503}"#),
            (ApiError::no_answer(), r#"{"error":"a worker did not answer","status":503}"#),
        ];
        for (error, says) in cases {
            let (answer, problem) = (error.answer(), error.problem());
            assert_eq!(problem, serde_json::from_str::<Value>(says).expect("JSON"));
            assert_eq!(problem["status"], answer.status().as_u16());
            assert_eq!(answer.headers().contains_key("retry-after"), matches!(error, ApiError::Busy(_)));
        }
    }
}
