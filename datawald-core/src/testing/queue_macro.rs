//! The suite for queues, as a macro.

/// Emits a module of tests, one per case of [`TaskQueue`](crate::queue::TaskQueue)'s contract.
///
/// The first argument names the module. The second is a function that makes, asynchronously, a fresh queue and
/// something to keep until the case is over. The queue must hold 40 messages per flow and be full at some point below
/// 400.
#[macro_export]
macro_rules! task_queue_conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::task_queue_conformance! {
                @cases $make;
                what_is_published_is_received_whole
                nothing_is_received_from_an_empty_queue
                a_waiting_receiver_is_woken
                no_wait_takes_what_is_there
                what_is_acknowledged_does_not_come_again
                what_is_retried_comes_again_no_sooner_than_asked
                a_waiting_receiver_is_woken_by_a_retry
                redeliveries_are_counted
                a_retry_holds_up_nobody
                what_is_dead_is_set_aside_with_its_reason
                setting_aside_touches_no_delivery
                dead_letters_are_oldest_first_and_bounded
                a_full_queue_says_so_and_loses_nothing
                flows_are_separate
                receivers_of_other_flows_take_no_wake_up_away
                a_dropped_receive_loses_nothing
                each_message_goes_to_one_receiver
                publishing_waits_for_nobody
                odd_texts_are_kept
            }
        }
    };
    (@cases $make:expr; $($case:ident)*) => {
        $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (queue, _keep) = ($make)().await;
            $crate::testing::queue_cases::$case(::std::sync::Arc::new(queue)).await;
        })*
    };
}
