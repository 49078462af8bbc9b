//! The command line of `doctor`.

use crate::settings::Settings;
use clap::Args;

/// Find out why updates do not arrive; sends no order.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys doctor\n  katalys doctor --outbox /var/lib/shop/katalys.db --json"
)]
pub struct Arguments {
    #[command(flatten)]
    pub settings: Settings,
}
