//! The gate in front of the shards: once it is closed nothing gets in, and whoever closed it can see when the last one
//! inside has come out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Counts who publishes at the moment, and stops those who come later.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    closed: AtomicBool,
    n: AtomicUsize,
}

/// One publisher on its way through.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Inside);

impl Gate {
    /// `None`: the gate is closed.
    pub(super) fn enter(&self) -> Option<Pass<'_>> {
        // Counted first and asked second, both in one order for all threads: whoever closes either is seen or sees.
        self.0.n.fetch_add(1, Ordering::SeqCst);
        let pass = Pass(&self.0);
        (!self.0.closed.load(Ordering::SeqCst)).then_some(pass)
    }

    /// From now on nobody gets in.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    /// Closed, and nobody is inside.
    pub(super) fn is_quiet(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst) && self.0.n.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.n.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_gate_is_quiet_when_the_last_one_inside_has_come_out() {
        let gate = Gate::default();
        let pass = gate.enter().expect("it is open");
        gate.close();
        assert!(gate.enter().is_none() && !gate.is_quiet());
        drop(pass);
        assert!(gate.is_quiet());
    }
}
