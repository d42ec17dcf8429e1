//! Who calls: a principal, the token it came with, and the device the token was issued to.

use std::sync::Arc;

use super::{Authenticated, Credential, Principal};

/// A device as its client describes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Device {
    /// The client's name, `Client`.
    pub client: String,
    /// What tells the device from others of the same client, `DeviceId`.
    pub id: String,
    /// The name people read, `Device`.
    pub name: String,
    /// The client's version, `Version`.
    pub version: String,
}

/// Who calls.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The principal, with the rights of this moment.
    pub principal: Arc<Principal>,
    /// How its rights are asked for again; `None` for nobody.
    pub credential: Option<Credential>,
    /// The device its token was issued to, if it was issued by a log-in here.
    pub device: Option<Arc<Device>>,
}

impl Authenticated {
    /// As a dialect is told of him.
    #[must_use]
    pub fn into_caller(self) -> Caller {
        let device = self.credential.device().cloned();
        Caller { principal: self.principal, credential: Some(self.credential), device }
    }
}
