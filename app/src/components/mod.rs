//! Pieces that pages are made of.

mod card;
mod clock;
mod code;
mod follow;
pub mod format;
mod header;
mod icon;
mod live_state;
mod state;
mod table;
mod theme_switch;
pub mod widget;

pub use card::{Badge, Card, StatFigure, Tone};
pub use clock::{ClockProvider, RelativeTime};
pub use code::CodeBlock;
pub use follow::{Following, PauseButton, follow};
pub use header::{Footer, Header};
pub use icon::{Icon, icons};
pub use state::{EmptyState, ErrorState, PageError, PageSkeleton, Skeleton};
pub use table::TableWrap;
