//! AWS Batch as the tests need it: it takes jobs, tells of those it has been given to tell of,
//! and notes what it was asked. Its answers have the shape of those in the AWS Batch API
//! reference (`SubmitJob`, `DescribeJobs`, `ListJobs`); nothing runs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::{Value, json};

use super::LONG;

/// How many jobs a page of a list has.
const PAGE: usize = 2;

/// The server. It goes on until the tests end.
pub struct BatchServer {
    address: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// What was asked, by operation, in order.
    requests: Vec<(String, Value)>,
    /// As `DescribeJobs` tells of them, by id.
    jobs: BTreeMap<String, Value>,
    /// Of which the first one counts that is of the operation.
    refusals: Vec<Refusal>,
    submitted: u32,
    /// Whether answers wait.
    holds: bool,
}

/// A request that is not done.
struct Refusal {
    operation: &'static str,
    /// How many requests for it are done before.
    after: usize,
    status: u16,
    body: Value,
}

impl BatchServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let shared: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let server = Self { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream.expect("a connection"), &shared));
            }
        });
        server
    }

    /// What makes it the program's AWS Batch.
    pub fn env(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL_BATCH", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ]
    }

    /// Has it know a job, or know better.
    pub fn tells(&self, job: Value) {
        let id = job["jobId"].as_str().expect("an id").to_owned();
        self.state().jobs.insert(id, job);
    }

    /// Has it refuse the next request for an operation that is not refused yet.
    pub fn refuses(&self, operation: &'static str, status: u16, body: Value) {
        self.refuses_later(operation, 0, status, body);
    }

    /// The same, after so many others that are done.
    pub fn refuses_later(&self, operation: &'static str, after: usize, status: u16, body: Value) {
        self.state().refusals.push(Refusal { operation, after, status, body });
    }

    /// Has all answers wait that are not given yet, or no longer.
    pub fn holds(&self, holds: bool) {
        self.state().holds = holds;
        self.shared.1.notify_all();
    }

    /// What was asked of an operation, in order.
    pub fn asked(&self, operation: &str) -> Vec<Value> {
        let state = self.state();
        let requests = state.requests.iter().filter(|(asked, _)| asked == operation);
        requests.map(|(_, body)| body.clone()).collect()
    }

    /// Every operation that was asked for, in order.
    pub fn operations(&self) -> Vec<String> {
        self.state().requests.iter().map(|(operation, _)| operation.clone()).collect()
    }

    /// Waits until an operation was asked for once more from now on.
    #[track_caller]
    pub fn is_asked(&self, operation: &str) {
        let deadline = Instant::now() + LONG;
        let before = self.asked(operation).len();
        let mut state = self.state();
        while state.requests.iter().filter(|(asked, _)| asked == operation).count() == before {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{operation} was never asked for");
            state = self.shared.1.wait_timeout(state, left).expect("no panic").0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("no panic")
    }
}

fn serve(mut stream: TcpStream, shared: &(Mutex<State>, Condvar)) {
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    let mut reader = BufReader::new(stream.try_clone().expect("a connection"));
    let head: Vec<String> =
        reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let mut body = vec![0; length.map_or(0, |length| length.expect("a number"))];
    reader.read_exact(&mut body).expect("a body");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let operation = path.trim_start_matches("/v1/").to_owned();
    let mut state = shared.0.lock().expect("no panic");
    let (status, answer) = state.answer(&operation, &body);
    state.requests.push((operation, body));
    shared.1.notify_all();
    drop(shared.1.wait_while(state, |state| state.holds).expect("no panic"));
    let answer = answer.to_string();
    // Whoever asked may have gone away.
    drop(write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{answer}",
        answer.len()
    ));
}

impl State {
    fn answer(&mut self, operation: &str, body: &Value) -> (u16, Value) {
        if let Some(place) = self.refusals.iter().position(|it| it.operation == operation) {
            if self.refusals[place].after == 0 {
                let Refusal { status, body, .. } = self.refusals.remove(place);
                return (status, body);
            }
            self.refusals[place].after -= 1;
        }
        match operation {
            "submitjob" => {
                self.submitted += 1;
                let id = format!("0000000{}-aaaa-bbbb-cccc-ddddeeeeffff", self.submitted);
                let arn = format!("arn:aws:batch:eu-central-1:123456789012:job/{id}");
                (200, json!({"jobArn": arn, "jobId": id, "jobName": body["jobName"]}))
            }
            "describejobs" => {
                let ids = body["jobs"].as_array().expect("ids");
                assert!(ids.len() <= 100, "Batch takes no more at once");
                let jobs = ids.iter().filter_map(|id| self.jobs.get(id.as_str()?));
                (200, json!({"jobs": jobs.collect::<Vec<_>>()}))
            }
            "listjobs" => (200, self.list(body)),
            other => panic!("{other} is nothing that the program should ask for"),
        }
    }

    /// The children of an array in a state, a page at a time and the last one first.
    fn list(&self, body: &Value) -> Value {
        let array = format!("{}:", body["arrayJobId"].as_str().expect("an array job"));
        let children = self
            .jobs
            .iter()
            .rev()
            .filter(|(id, job)| id.starts_with(&array) && job["status"] == body["jobStatus"]);
        let from = body["nextToken"].as_str().map_or(0, |token| token.parse().expect("a token"));
        let mut page: Vec<_> = children.map(|(_, job)| summary(job)).skip(from).collect();
        let more = page.len() > PAGE;
        page.truncate(PAGE);
        let next = more.then(|| (from + PAGE).to_string());
        json!({"jobSummaryList": page, "nextToken": next})
    }
}

/// A job as a list has it.
fn summary(job: &Value) -> Value {
    json!({
        "jobArn": job["jobArn"],
        "jobId": job["jobId"],
        "jobName": job["jobName"],
        "createdAt": 1_763_776_800_000_i64,
        "status": job["status"],
        "statusReason": job["statusReason"],
        "container": {"exitCode": job["container"]["exitCode"]},
        "arrayProperties": {"index": job["arrayProperties"]["index"]},
        "jobDefinition": job["jobDefinition"],
    })
}
