//! The suite for stores, as a macro.

/// Emits a module of tests, one per case of [`StagingStore`](crate::store::StagingStore)'s contract.
///
/// The first argument names the module. The second is a function that makes, asynchronously, a fresh store and
/// something to keep until the case is over (a temporary folder, a database to be dropped).
#[macro_export]
macro_rules! staging_store_conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $crate::staging_store_conformance! {
                @cases $make;
                pulls {
                    a_pull_has_one_owner
                    a_lease_that_ran_out_passes_on
                    the_same_owner_gets_a_new_token_that_fences_the_old_one
                    a_right_given_back_is_free_and_gone
                    giving_back_an_old_right_takes_nothing_away
                    staging_renews_the_lease
                    a_renewed_right_lasts_longer
                    staging_with_an_old_token_changes_nothing
                    staging_needs_a_sync_task_of_the_flow
                    setting_the_cut_fences_a_running_pull
                    whoever_may_pull_moves_the_cut_and_nobody_else
                    pulls_of_other_flows_are_independent
                    of_many_that_want_to_pull_one_may
                }
                cuts {
                    there_is_no_cut_at_first
                    a_cut_comes_with_its_entities
                    a_cut_never_moves_backwards_by_staging
                    of_two_cuts_of_one_time_the_greater_offset_stands
                    an_operator_may_move_the_cut_anywhere
                    cuts_of_other_flows_are_independent
                    a_batch_without_entities_moves_the_cut
                }
                staging {
                    an_unknown_entity_is_new_and_due
                    what_is_to_be_ignored_or_rejected_ends_at_once
                    new_content_opens_whatever_is_final
                    each_of_content_status_intent_and_reason_counts_as_new
                    new_content_ends_a_back_off
                    new_content_may_end_what_waits
                    new_content_leaves_a_lease_in_place
                    new_content_leaves_a_doubt_in_place
                    a_failure_that_is_the_same_stays_failed
                    a_rejection_is_not_tried_again
                    what_is_the_same_stays_as_it_is
                    two_of_one_key_are_taken_in_order
                    answers_come_in_order
                    texts_are_kept_exactly
                    long_texts_are_kept_exactly
                    keys_are_text_and_nothing_else
                    flows_do_not_mix
                    one_entity_of_a_flow_has_a_name
                    of_many_that_want_one_name_one_has_it
                    a_name_stays_once_it_was_taken_up
                    by_its_reference_it_is_known_whatever_it_is_called_now
                }
                pushes {
                    a_push_needs_no_right_to_pull
                    a_push_and_a_pull_do_not_hinder_each_other
                    a_push_treats_an_entity_as_a_pull_does
                    a_push_may_ask_for_a_version
                    what_was_pushed_is_recorded
                    one_that_is_named_twice_counts_once_and_as_changed
                    recording_moves_the_cut_forwards_only
                    recording_what_is_not_staged_changes_nothing
                    recording_twice_changes_nothing
                    recording_under_the_id_of_another_flow_is_refused
                    many_pushes_at_once_lose_nothing
                    what_is_recorded_while_it_is_claimed_reaches_who_claims
                }
                claims {
                    a_claim_leases_what_is_due
                    the_longest_due_comes_first
                    nothing_is_claimed_before_it_is_due
                    a_claim_takes_no_more_than_its_limit
                    a_claim_by_keys_looks_at_these_only
                    an_expired_lease_passes_on_after_the_settle_delay
                    a_doubt_is_claimed_when_its_time_comes
                    what_was_in_doubt_may_have_nothing_left_to_do
                    a_success_of_what_is_not_to_be_done_is_none
                    tokens_only_grow
                    lost_leases_are_counted
                    new_beginnings_forget_lost_leases
                    a_target_id_comes_with_the_claim
                    due_tells_without_leasing
                    next_due_is_the_earliest
                    a_renewed_lease_lasts_longer
                    a_lost_lease_is_not_renewed
                    a_claim_is_of_one_flow
                    concurrent_claims_share_nothing
                }
                settling {
                    every_outcome_has_its_status
                    a_retry_comes_back_when_it_is_due
                    a_release_gives_the_attempt_back
                    a_release_leaves_a_doubt_in_doubt
                    an_outcome_without_target_id_keeps_the_one_there_is
                    only_the_current_token_settles
                    a_late_worker_may_settle_while_nobody_else_has_claimed
                    what_is_not_leased_is_not_settled
                    settling_twice_is_fenced
                    answers_come_in_order
                    newer_content_opens_what_is_settled
                    newer_content_does_not_resolve_a_doubt
                    newer_content_with_nothing_to_do_ends_it
                    a_retry_with_nothing_left_to_do_ends_it
                    a_released_attempt_of_old_content_is_not_counted_twice
                    many_outcomes_are_kept_exactly
                    what_may_be_written_is_told_by_version
                    a_lost_lease_leaves_what_may_be_written
                    not_there_once_is_remembered_until_the_next_claim
                    a_doubt_outlives_an_end
                    the_first_reference_stays
                }
                binding {
                    what_an_entity_is_known_by_outlives_its_worker
                    only_the_current_token_binds
                    a_reference_goes_if_surely_nothing_was_written
                    a_document_is_bound_to_one_entity
                    a_document_is_settled_for_one_entity
                    of_many_that_want_one_document_one_has_it
                }
                tasks {
                    a_sync_task_is_recorded
                    recording_twice_changes_nothing
                    an_id_names_one_task_of_one_flow
                    a_pull_comes_to_its_end
                    staging_opens_what_was_closed_or_noted
                    a_sync_task_is_closed_and_closed_again
                    a_sync_task_is_deleted_without_its_entities
                    what_is_not_there_is_told
                    entities_are_counted_by_status
                    what_is_unchanged_counts_as_ignored
                    what_is_unchanged_but_open_counts_as_what_it_is
                    a_pass_is_recorded_with_what_it_brings
                    what_a_pass_has_brought_is_not_ignored_in_it
                    earlier_passes_keep_their_outcome
                    open_entities_count_in_every_pass
                    sync_tasks_are_listed_newest_first
                    sync_tasks_are_filtered
                    a_wrong_cursor_is_refused
                }
                overviews {
                    what_is_open_is_counted_by_what_it_waits_for
                    the_oldest_is_told_by_what_is_owed
                    an_overview_is_of_one_flow
                }
                records {
                    a_record_counts_its_changes
                    of_many_that_write_one_does
                    records_are_found_by_the_beginning_of_their_names
                    a_record_is_removed_at_its_revision
                    a_record_has_bounds
                }
                pruning {
                    closed_runs_are_removed_with_their_members
                    what_a_run_found_unchanged_is_removed_with_it
                    earlier_versions_of_what_has_ended_are_removed
                    a_version_that_may_be_on_the_other_side_stays
                    raw_documents_of_what_has_ended_are_removed
                    what_has_lost_its_raw_is_the_same_entity
                }
                erasing {
                    what_became_of_it_stays
                    what_is_open_or_in_doubt_is_not_erased
                    what_is_erased_is_not_done_again
                    what_changes_at_the_source_is_new_data
                }
                lists {
                    entities_are_listed_by_key
                    pages_neither_miss_nor_repeat
                    entities_are_filtered
                    a_page_has_bounds
                    a_wrong_cursor_is_refused
                    history_is_newest_first
                    history_is_bounded
                    what_is_not_there_has_nothing
                    what_is_final_is_done_again
                    failures_of_a_class_are_counted_listed_and_done_again
                    what_waits_is_done_now
                    what_is_leased_or_in_doubt_is_left_alone
                    what_has_nothing_to_do_is_not_done_again
                    the_failures_of_a_sync_task_are_done_again
                    the_failures_of_a_flow_are_done_again
                    failures_done_again_stay_failures_of_other_tasks
                    failures_that_were_mended_since_are_not_done_again
                    many_at_once_lose_nothing
                }
            }
        }
    };
    (@cases $make:expr; $($group:ident { $($case:ident)* })*) => {
        $(mod $group {
            #[allow(unused_imports)]
            use super::*;

            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, _keep) = ($make)().await;
                $crate::testing::store_cases::$group::$case(::std::sync::Arc::new(store)).await;
            })*
        })*
    };
}
