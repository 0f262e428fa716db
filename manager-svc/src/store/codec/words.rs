//! The words by which states are stored.

use crate::domain::action::{DeliveryStatus, Status};

/// What a status is called.
pub(in crate::store) fn encode_status(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}

/// The status of that name.
pub(in crate::store) fn status(text: &str) -> Option<Status> {
    Some(match text {
        "queued" => Status::Queued,
        "running" => Status::Running,
        "succeeded" => Status::Succeeded,
        "partial" => Status::Partial,
        "failed" => Status::Failed,
        "cancelled" => Status::Cancelled,
        _ => return None,
    })
}

/// The state of a delivery of that name.
pub(super) fn delivery(text: &str) -> Option<DeliveryStatus> {
    Some(match text {
        "none" => DeliveryStatus::None,
        "pending" => DeliveryStatus::Pending,
        "delivered" => DeliveryStatus::Delivered,
        "exhausted" => DeliveryStatus::Exhausted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_back_as_it_was_written() {
        for of in [
            Status::Queued,
            Status::Running,
            Status::Succeeded,
            Status::Partial,
            Status::Failed,
            Status::Cancelled,
        ] {
            assert_eq!(status(encode_status(of)), Some(of));
        }
        assert_eq!(status("flying"), None);
    }
}
