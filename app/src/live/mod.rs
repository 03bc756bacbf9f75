//! The browser's end of the live channel.
