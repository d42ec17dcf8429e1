//! Health, readiness and metrics.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Shared, caller::caller, publish::problem};
use crate::metrics::Exporter;

/// Health and readiness: on the main listener and on that of the metrics, so that a draining server can still be asked.
pub(super) fn health_routes(config: &mut web::ServiceConfig) {
    config.route("/healthz", web::get().to(healthy)).route("/readyz", web::get().to(ready));
}

/// The routes of the metrics listener.
pub(super) fn metrics_routes(config: &mut web::ServiceConfig) {
    config.configure(health_routes).route("/metrics", web::get().to(metrics));
}

async fn healthy() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

async fn ready(shared: web::Data<Shared>) -> HttpResponse {
    if shared.is_ready() {
        return HttpResponse::Ok().content_type("text/plain").body("ready\n");
    }
    HttpResponse::ServiceUnavailable().content_type("text/plain").body("not ready\n")
}

/// On a listener that others than this machine reach, only for tokens made for it, and for administrators.
async fn metrics(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    if shared.metrics_need_a_token {
        match caller(&request, &shared).await {
            Ok(caller) if caller.principal.metrics || caller.principal.admin => {}
            Ok(_) => return HttpResponse::Forbidden().json(problem(403, "this token may not read metrics")),
            Err(denied) => return denied.answer(),
        }
    }
    HttpResponse::Ok().content_type(Exporter::CONTENT_TYPE).body(shared.render_metrics())
}

/// What the metrics are rendered from.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;
