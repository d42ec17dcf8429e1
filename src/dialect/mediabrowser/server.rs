//! What every part of the dialect needs of the server: settings, names, formats and the present state.

use std::{
    net::IpAddr,
    sync::{Arc, Weak},
};

use super::{
    super::{About, Joins, Standing},
    credentials::Shown,
    encode::Formats,
    generation::Generation,
    place::Place,
};
use crate::{
    access::{Caller, Device, Principal},
    config,
    id::ConnectionId,
    state::{
        State,
        devices::{Devices, Seen},
    },
};

/// What a client is called that does not say what it is.
const UNKNOWN: &str = "Unknown";

/// The server as this dialect sees it.
pub(super) struct Server {
    /// Itself, for what outlives a call.
    own: Weak<Self>,
    pub(super) settings: config::MediaBrowser,
    /// The port clients came in on, where a request does not say.
    pub(super) port: u16,
    pub(super) formats: &'static Formats,
    pub(super) state: Arc<State>,
}

impl Server {
    pub(super) fn new(settings: &config::MediaBrowser, about: &About<'_>) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            own: Weak::clone(own),
            settings: settings.clone(),
            port: about.port,
            formats: Formats::of(Place::new(about.id, about.name, about.libraries, about.users)),
            state: Arc::clone(about.state),
        })
    }

    /// Itself, for what outlives a call; `None` while it goes.
    pub(super) fn share(&self) -> Option<Arc<Self>> {
        self.own.upgrade()
    }

    pub(super) fn place(&self) -> &'static Place {
        self.formats.place
    }

    pub(super) fn devices(&self) -> &Arc<Devices> {
        self.state.devices()
    }

    /// How a client that said `Identity` goes on as that caller's. A key is nobody whose it could be: what it may is more than an
    /// address and a name can vouch for.
    pub(super) fn standing(&self, caller: &Caller) -> Option<Standing> {
        caller.principal.user.as_ref()?;
        Some(Standing {
            filter: Generation::Identity.filter(Arc::clone(&caller.principal)),
            formats: self.formats.pair(Generation::Identity),
            credential: caller.credential.clone()?,
        })
    }

    /// These connections, which waited for that caller's request, are his from now on.
    pub(super) fn joins(&self, caller: &Caller, joined: Vec<ConnectionId>) -> Joins {
        let standing = self.standing(caller).filter(|_| self.settings.identity);
        joined.into_iter().filter_map(|connection| Some((connection, standing.clone()?))).collect()
    }

    /// The device a request comes from: what it says, else what its token was issued to, else what is known of its user.
    pub(super) fn device(&self, shown: &Shown, caller: &Caller, address: Option<IpAddr>) -> Device {
        let mut device = shown.device.clone();
        if let Some(issued) = &caller.device {
            let fill = |own: &mut String, known: &str| {
                if own.is_empty() {
                    known.clone_into(own);
                }
            };
            fill(&mut device.client, &issued.client);
            fill(&mut device.id, &issued.id);
            fill(&mut device.name, &issued.name);
            fill(&mut device.version, &issued.version);
        }
        if device.client.is_empty() {
            // A socket whose URL has room for the device's id only belongs with the requests of that device.
            if let Some(known) = self.known_device(&device.id, caller, address) {
                return known;
            }
        }
        for (own, otherwise) in [(&mut device.client, UNKNOWN), (&mut device.id, &self.place().server)] {
            if own.is_empty() {
                otherwise.clone_into(own);
            }
        }
        if device.name.is_empty() {
            device.name.clone_from(&device.client);
        }
        device
    }

    /// The device of that id that its user was last heard from; without an id that from the same address.
    fn known_device(&self, id: &str, caller: &Caller, address: Option<IpAddr>) -> Option<Device> {
        let user = caller.principal.user.as_ref()?;
        let devices = self.devices();
        let known = if id.is_empty() { devices.own_device_at(user, address?) } else { devices.own_device(user, id) };
        known.map(|device| device.as_ref().clone())
    }
}

/// An authenticated request, as the table of devices takes it.
pub(super) fn seen<'a>(caller: &'a Caller, device: &'a Device, address: Option<IpAddr>) -> Seen<'a> {
    Seen { caller, device, address }
}

/// Whether somebody belongs among the sessions: users, and keys that may read something.
pub(super) fn is_somebody(principal: &Principal) -> bool {
    !principal.only_publishes && (principal.user.is_some() || principal.member || principal.admin)
}
