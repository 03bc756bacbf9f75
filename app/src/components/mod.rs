//! Pieces that pages are made of.

pub mod belongs;
mod card;
mod clock;
mod code;
mod follow;
mod form;
pub mod format;
mod header;
mod icon;
mod live_state;
mod menu;
mod state;
mod table;
mod theme_switch;
mod warnings;
pub mod widget;

pub use belongs::BelongsTo;
pub use card::{Badge, Card, StatFigure, Tone};
pub use clock::{ClockProvider, RelativeTime};
pub use code::CodeBlock;
pub use follow::{Following, PauseButton, follow};
pub use form::{Field, Form, Hidden, NoticeBar, Select, Submit};
pub use header::{Footer, Header};
pub use icon::{Icon, icons};
pub use state::{EmptyState, ErrorState, PageError, PageSkeleton, Skeleton};
pub use table::TableWrap;
pub use warnings::Warnings;
