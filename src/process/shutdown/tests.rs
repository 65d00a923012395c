use super::*;

fn shutdown(grace: &str) -> Shutdown {
    Shutdown::quiet(grace.parse().unwrap())
}

fn stage(shutdown: &Shutdown) -> Stage {
    shutdown.state.borrow().stage()
}

/// How long it is until the process must be gone.
fn left(shutdown: &Shutdown) -> u64 {
    let deadline = shutdown.state.borrow().stop.unwrap().deadline;
    rounded(deadline - Instant::now())
}

/// To seconds.
fn rounded(time: Duration) -> u64 {
    (time + Duration::from_millis(500)).as_secs()
}

fn in_seconds(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

/// Gives a notice, without waiting for what follows from it.
async fn notice(shutdown: &Shutdown, goes: SystemTime) {
    let noticed = shutdown.noticed(goes);
    drop(tokio::time::timeout(Duration::from_millis(1), noticed).await);
}

#[tokio::test]
async fn the_first_signal_begins_the_grace_and_the_second_ends_it() {
    let shutdown = shutdown("20s");
    assert_eq!(shutdown.requested(), None);
    shutdown.signalled(Interrupt::Terminate);
    // The same one, heard twice.
    shutdown.signalled(Interrupt::Terminate);
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
    shutdown.signalled(Interrupt::Keyboard);
    assert_eq!(stage(&shutdown), Stage::AtOnce);
    assert_eq!(shutdown.requested(), Some(Interrupt::Terminate));
    shutdown.no_time_to_store().await;
    assert_eq!(shutdown.overdue().await, Interrupt::Terminate);
}

#[tokio::test]
async fn the_same_signal_counts_again_when_it_cannot_be_an_echo() {
    let shutdown = shutdown("20s");
    shutdown.signalled(Interrupt::HangUp);
    sleep(ECHO).await;
    shutdown.signalled(Interrupt::HangUp);
    assert_eq!(stage(&shutdown), Stage::AtOnce);
}

#[tokio::test]
async fn after_a_notice_there_is_time_until_the_instance_goes() {
    let (shutdown, goes) = (shutdown("20s"), in_seconds(100));
    notice(&shutdown, goes).await;
    assert_eq!((stage(&shutdown), shutdown.requested()), (Stage::Noticed, None));
    assert_eq!(shutdown.time_to_finish().map(rounded), Some(80));
    shutdown.stop_if_noticed();
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 100));
    assert_eq!(shutdown.stop_if_noticed(), Some(Interrupt::Spot { goes }));
    // That is no second signal, but it leaves less time.
    shutdown.signalled(Interrupt::Terminate);
    assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
    assert_eq!(shutdown.requested(), Some(Interrupt::Spot { goes }));
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
async fn a_notice_that_comes_late_leaves_the_grace_and_one_of_next_year_some_minutes() {
    for goes in [SystemTime::UNIX_EPOCH, in_seconds(0), in_seconds(10)] {
        let shutdown = shutdown("20s");
        shutdown.noticed(goes).await;
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, 20));
        assert_eq!(shutdown.time_to_finish(), Some(Duration::ZERO));
    }
    let shutdown = shutdown("20s");
    notice(&shutdown, in_seconds(365 * 24 * 3600)).await;
    shutdown.stop_if_noticed();
    assert_eq!(left(&shutdown), LONGEST_NOTICE.as_secs());
}

#[tokio::test]
async fn a_notice_is_acted_on_when_no_more_than_the_grace_is_left() {
    let shutdown = shutdown("1s");
    let before = Instant::now();
    shutdown.noticed(in_seconds(2)).await;
    assert_eq!(stage(&shutdown), Stage::Stopping);
    assert!(before.elapsed() > Duration::from_millis(900), "{:?}", before.elapsed());
}

#[tokio::test]
async fn nobody_leaves_who_was_not_told() {
    let shutdown = shutdown("1s");
    assert_eq!(shutdown.stop_if_noticed(), None);
    assert_eq!(shutdown.or(async { 7 }).await, Ok(7));
    shutdown.signalled(Interrupt::HangUp);
    assert_eq!(shutdown.or(async { 7 }).await, Err(Interrupt::HangUp));
}

#[tokio::test]
async fn when_the_time_of_the_job_is_over_there_is_a_minute_or_the_grace() {
    for (grace_in_seconds, seconds) in [(25, 60), (110, 110)] {
        let shutdown = shutdown(&grace_in_seconds.to_string());
        shutdown.within(Duration::ZERO).await;
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, seconds));
        assert_eq!(shutdown.stop_if_noticed(), Some(Interrupt::OutOfTime));
        // A signal leaves less time.
        shutdown.signalled(Interrupt::Terminate);
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, grace_in_seconds));
        assert_eq!(shutdown.requested(), Some(Interrupt::OutOfTime));
    }
}

#[tokio::test]
async fn the_time_of_the_job_changes_nothing_when_we_stop_already() {
    let shutdown = shutdown("20s");
    shutdown.signalled(Interrupt::Keyboard);
    shutdown.within(Duration::ZERO).await;
    assert_eq!((shutdown.requested(), left(&shutdown)), (Some(Interrupt::Keyboard), 20));
}

#[tokio::test]
async fn when_the_time_of_the_job_is_over_the_instance_still_goes_when_it_goes() {
    for (goes, seconds) in [(40, 40), (100, 60)] {
        let shutdown = shutdown("20s");
        notice(&shutdown, in_seconds(goes)).await;
        shutdown.within(Duration::ZERO).await;
        assert_eq!((stage(&shutdown), left(&shutdown)), (Stage::Stopping, seconds));
    }
}

#[tokio::test]
async fn tidying_up_is_bounded_and_leaves_time_for_what_is_stored() {
    let ago = |time: Duration| Instant::now().checked_sub(time).unwrap();
    let long = TIDYING + Duration::from_secs(1);
    let worker = shutdown("20s");
    assert!(worker.has_time_to_tidy(ago(long / 2)) && !worker.has_time_to_tidy(ago(long)));
    // Told to stop, as long as nothing of what is kept for the report and the end is used up.
    worker.signalled(Interrupt::Terminate);
    assert!(worker.has_time_to_tidy(ago(long)));
    let worker = shutdown("1s");
    worker.signalled(Interrupt::Terminate);
    sleep(Duration::from_millis(750)).await;
    assert!(worker.has_time_to_tidy(Instant::now()) && !worker.has_time_to_tidy(ago(long)));
    // Told twice, or an orphan: next to none.
    let worker = shutdown("20s");
    worker.orphaned();
    assert_eq!(stage(&worker), Stage::AtOnce);
    assert!(worker.has_time_to_tidy(Instant::now()));
    assert!(!worker.has_time_to_tidy(ago(2 * TIDYING_AT_ONCE)));
    assert_eq!(worker.overdue().await, Interrupt::Orphaned);
}
