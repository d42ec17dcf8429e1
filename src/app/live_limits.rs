//! The limits that a reload changes, as those hold them who keep to them.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::{
    config,
    event::Limits,
    server::{PerMinute, RequestLimits},
    session::InboundLimits,
    websocket::codec,
};

/// Clones share what is set.
#[derive(Clone)]
pub(super) struct LiveLimits {
    pub(super) request: Arc<RwLock<RequestLimits>>,
    pub(super) inbound: Arc<RwLock<InboundLimits>>,
    pub(super) bad_tokens: PerMinute,
}

impl LiveLimits {
    pub(super) fn new(limits: &config::Limits) -> Self {
        Self {
            request: Arc::new(RwLock::new(request_limits(limits))),
            inbound: Arc::new(RwLock::new(inbound_limits(limits))),
            bad_tokens: PerMinute::new(limits.bad_tokens_per_minute),
        }
    }

    /// What comes from now on is held to these.
    pub(super) fn set(&self, limits: &config::Limits) {
        *self.request.write() = request_limits(limits);
        *self.inbound.write() = inbound_limits(limits);
        self.bad_tokens.set(limits.bad_tokens_per_minute);
    }
}

fn request_limits(limits: &config::Limits) -> RequestLimits {
    RequestLimits {
        head: limits.head,
        event: Limits { event_bytes: limits.event_bytes, event_items: limits.event_items, depth: limits.event_depth },
        batch_events: limits.batch_events,
        body_bytes: limits.body_bytes,
        body_deadline: limits.body,
    }
}

fn inbound_limits(limits: &config::Limits) -> InboundLimits {
    let message = codec::Limits { message_bytes: limits.inbound_bytes, fragments: limits.inbound_fragments };
    InboundLimits { message, per_minute: limits.inbound_per_minute }
}
