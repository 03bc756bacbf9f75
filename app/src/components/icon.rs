//! Heroicons, as decoration: the text beside an icon says what it means.

use leptos::prelude::*;

/// The icons that are used: what is not named here is not in the bundle.
pub mod icons {
    pub use icondata_core::Icon;
    pub use icondata_hi::{
        HiArrowPathOutlineLg as Retry, HiArrowRightOnRectangleOutlineLg as SignOut,
        HiArrowRightOutlineLg as ArrowRight, HiBoltOutlineLg as Bolt, HiBuildingOffice2OutlineLg as Organization,
        HiChartBarSquareOutlineLg as Dashboard, HiCheckCircleOutlineLg as CheckCircle, HiCheckOutlineLg as Check,
        HiChevronRightOutlineLg as ChevronRight, HiCircleStackOutlineLg as Lake, HiClipboardOutlineLg as Clipboard,
        HiComputerDesktopOutlineLg as System, HiDevicePhoneMobileOutlineLg as Device, HiEnvelopeOutlineLg as Mail,
        HiExclamationTriangleOutlineLg as Warning, HiInboxOutlineLg as Inbox, HiKeyOutlineLg as Key,
        HiLockClosedOutlineLg as Lock, HiMoonOutlineLg as Moon, HiPauseOutlineLg as Pause, HiPlayOutlineLg as Play,
        HiQueueListOutlineLg as Pipeline, HiShieldCheckOutlineLg as ShieldCheck, HiSignalOutlineLg as Signal,
        HiSignalSlashOutlineLg as SignalLost, HiSunOutlineLg as Sun, HiTrashOutlineLg as Trash,
        HiUserCircleOutlineLg as Person, HiUserGroupOutlineLg as Team,
    };
}

/// An icon of the size of the text around it, or of `size`; hidden from screen readers.
#[component]
pub fn Icon(
    #[prop(into)] icon: Signal<icons::Icon>,
    /// A CSS length.
    #[prop(default = "1.15em")]
    size: &'static str,
    #[prop(optional)] class: &'static str,
) -> impl IntoView {
    view! {
        <span class=format!("icon {class}") aria-hidden="true">
            <leptos_icons::Icon icon=icon width=size height=size />
        </span>
    }
}
