use super::*;

fn shutdown(grace: &str) -> Shutdown {
    Shutdown::quiet(grace.parse().unwrap())
}

fn stage(shutdown: &Shutdown) -> Stage {
    shutdown.state.borrow().stage()
}

/// The time until the deadline, in seconds.
fn left(shutdown: &Shutdown) -> u64 {
    let deadline = shutdown.state.borrow().stop.unwrap().deadline;
    rounded(deadline - Instant::now())
}

/// Rounds to seconds.
fn rounded(time: Duration) -> u64 {
    (time + Duration::from_millis(500)).as_secs()
}

fn in_seconds(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

/// Delivers a Spot notice without waiting for the stop that follows it.
async fn notice(shutdown: &Shutdown, reclaimed: SystemTime) {
    let noticed = shutdown.spot_notice(reclaimed);
    drop(tokio::time::timeout(Duration::from_millis(1), noticed).await);
}

#[tokio::test]
async fn the_first_signal_starts_the_grace_period_and_the_second_ends_it() {
    let shutdown = shutdown("20s");
    assert_eq!(shutdown.requested(), None);
    shutdown.signalled(Interrupt::Terminate);
    // An echo of the first signal.
    shutdown.signalled(Interrupt::Terminate);
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
    shutdown.signalled(Interrupt::Keyboard);
    assert_eq!(stage(&shutdown), Stage::AtOnce);
    assert_eq!(shutdown.requested(), Some(Interrupt::Terminate));
    shutdown.no_time_to_store().await;
    assert_eq!(shutdown.overdue().await, Interrupt::Terminate);
}

#[tokio::test]
async fn a_repeated_signal_counts_as_the_second_one_after_the_echo_time() {
    let shutdown = shutdown("20s");
    shutdown.signalled(Interrupt::HangUp);
    sleep(ECHO).await;
    shutdown.signalled(Interrupt::HangUp);
    assert_eq!(stage(&shutdown), Stage::AtOnce);
}

#[tokio::test]
async fn after_a_notice_there_is_time_until_the_instance_is_reclaimed() {
    let (shutdown, reclaimed) = (shutdown("20s"), in_seconds(100));
    notice(&shutdown, reclaimed).await;
    assert_eq!((stage(&shutdown), shutdown.requested()), (Stage::Noticed, None));
    assert_eq!(shutdown.time_to_finish().map(rounded), Some(80));
    shutdown.stop_if_noticed();
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 100));
    assert_eq!(shutdown.stop_if_noticed(), Some(Interrupt::Spot { reclaimed }));
    // This is the first signal, not the second, but it leaves less time.
    shutdown.signalled(Interrupt::Terminate);
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
    assert_eq!(shutdown.requested(), Some(Interrupt::Spot { reclaimed }));
}

#[tokio::test]
async fn a_signal_after_a_notice_is_the_first_one() {
    let shutdown = shutdown("20s");
    notice(&shutdown, in_seconds(100)).await;
    shutdown.signalled(Interrupt::Keyboard);
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
    assert_eq!(shutdown.requested(), Some(Interrupt::Keyboard));
}

#[tokio::test]
async fn a_late_notice_leaves_the_grace_period_and_one_for_next_year_is_capped() {
    for reclaimed in [SystemTime::UNIX_EPOCH, in_seconds(0), in_seconds(10)] {
        let shutdown = shutdown("20s");
        shutdown.spot_notice(reclaimed).await;
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
        assert_eq!(shutdown.time_to_finish(), Some(Duration::ZERO));
    }
    let shutdown = shutdown("20s");
    notice(&shutdown, in_seconds(365 * 24 * 3600)).await;
    shutdown.stop_if_noticed();
    assert_eq!(left(&shutdown), LONGEST_NOTICE.as_secs());
}

#[tokio::test]
async fn a_notice_stops_the_job_when_only_the_grace_period_is_left() {
    let shutdown = shutdown("1s");
    let before = Instant::now();
    shutdown.spot_notice(in_seconds(2)).await;
    assert_eq!(stage(&shutdown), Stage::Stopping);
    assert!(before.elapsed() > Duration::from_millis(900), "{:?}", before.elapsed());
}

#[tokio::test]
async fn work_runs_until_the_job_is_stopped() {
    let shutdown = shutdown("1s");
    assert_eq!(shutdown.stop_if_noticed(), None);
    assert_eq!(shutdown.run_until_stopped(async { 7 }).await, Ok(7));
    shutdown.signalled(Interrupt::HangUp);
    assert_eq!(shutdown.run_until_stopped(async { 7 }).await, Err(Interrupt::HangUp));
}

#[tokio::test]
async fn the_time_limit_leaves_a_minute_or_the_grace_period() {
    for (grace_in_seconds, seconds) in [(25, 60), (110, 110)] {
        let shutdown = shutdown(&grace_in_seconds.to_string());
        shutdown.stop_after(Duration::ZERO).await;
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, seconds));
        assert_eq!(shutdown.stop_if_noticed(), Some(Interrupt::OutOfTime));
        // A signal leaves less time.
        shutdown.signalled(Interrupt::Terminate);
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, grace_in_seconds));
        assert_eq!(shutdown.requested(), Some(Interrupt::OutOfTime));
    }
}

#[tokio::test]
async fn the_time_limit_changes_nothing_while_stopping() {
    let shutdown = shutdown("20s");
    shutdown.signalled(Interrupt::Keyboard);
    shutdown.stop_after(Duration::ZERO).await;
    assert_eq!((shutdown.requested(), left(&shutdown)), (Some(Interrupt::Keyboard), 20));
}

#[tokio::test]
async fn the_time_limit_leaves_no_time_after_the_instance_is_reclaimed() {
    for (reclaimed_in, seconds) in [(40, 40), (100, 60)] {
        let shutdown = shutdown("20s");
        notice(&shutdown, in_seconds(reclaimed_in)).await;
        shutdown.stop_after(Duration::ZERO).await;
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, seconds));
    }
}

#[tokio::test]
async fn cleanup_is_bounded_and_leaves_time_to_store_results() {
    let ago = |time: Duration| Instant::now().checked_sub(time).unwrap();
    let long = CLEANUP + Duration::from_secs(1);
    let worker = shutdown("20s");
    assert!(worker.has_time_to_clean_up(ago(long / 2)) && !worker.has_time_to_clean_up(ago(long)));
    // While stopping: until the time reserved for the report and the end is reached.
    worker.signalled(Interrupt::Terminate);
    assert!(worker.has_time_to_clean_up(ago(long)));
    let worker = shutdown("1s");
    worker.signalled(Interrupt::Terminate);
    sleep(Duration::from_millis(750)).await;
    assert!(worker.has_time_to_clean_up(Instant::now()) && !worker.has_time_to_clean_up(ago(long)));
    // A second signal or a lost guard leaves almost no time.
    let worker = shutdown("20s");
    worker.guard_lost();
    assert_eq!(stage(&worker), Stage::AtOnce);
    assert!(worker.has_time_to_clean_up(Instant::now()));
    assert!(!worker.has_time_to_clean_up(ago(2 * CLEANUP_AT_ONCE)));
    assert_eq!(worker.overdue().await, Interrupt::Orphaned);
}
