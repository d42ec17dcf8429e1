//! Sessions of devices, on a time of their own.
