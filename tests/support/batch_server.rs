//! A fake AWS Batch: it accepts jobs, describes the jobs that a test has set, and records all
//! requests. Its responses follow the AWS Batch API reference (`SubmitJob`, `DescribeJobs`,
//! `ListJobs`), and those about logs that of CloudWatch Logs (`GetLogEvents`). No job runs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use serde_json::{Value, json};

use super::LONG;

/// The number of jobs on a page of a list, and of messages on one of a log.
const PAGE: usize = 2;

/// The server. It runs until the test process ends.
pub struct BatchServer {
    address: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// All requests in order: operation and body.
    requests: Vec<(String, Value)>,
    /// The jobs by id, in the form that `DescribeJobs` returns.
    jobs: BTreeMap<String, Value>,
    /// The messages of the log streams in the group `/render-worker`.
    logs: BTreeMap<String, Vec<String>>,
    /// Errors to return. Of those for an operation, the first one applies.
    rejections: Vec<Rejection>,
    submitted: u32,
    /// Whether responses are held back.
    holds: bool,
}

/// An error to return once.
struct Rejection {
    operation: &'static str,
    /// How many requests succeed first.
    after: usize,
    status: u16,
    body: Value,
}

/// Returns the environment variables of a submitted job.
pub fn environment(job: &Value) -> Value {
    let variables = job["containerOverrides"]["environment"].as_array().expect("variables");
    variables
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["value"].clone()))
        .collect()
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

    /// Returns the environment that makes a program use this server.
    pub fn env(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", format!("http://{}", self.address)),
            ("AWS_ENDPOINT_URL_BATCH", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ]
    }

    /// Sets the description of a job.
    pub fn set_job(&self, job: Value) {
        let id = job["jobId"].as_str().expect("an id").to_owned();
        self.state().jobs.insert(id, job);
    }

    /// Adds a message to a log stream, which then exists.
    pub fn add_message(&self, stream: &str, message: &str) {
        self.state().logs.entry(stream.to_owned()).or_default().push(message.to_owned());
    }

    /// Rejects one request for an operation. Called repeatedly, it rejects as many.
    pub fn reject_next(&self, operation: &'static str, status: u16, body: Value) {
        self.reject_after(operation, 0, status, body);
    }

    /// Rejects one request for an operation after `after` others have succeeded.
    pub fn reject_after(&self, operation: &'static str, after: usize, status: u16, body: Value) {
        self.state().rejections.push(Rejection { operation, after, status, body });
    }

    /// Holds back all responses, or releases them.
    pub fn hold_responses(&self, holds: bool) {
        self.state().holds = holds;
        self.shared.1.notify_all();
    }

    /// Returns the bodies of the requests for an operation, in order.
    pub fn requests_for(&self, operation: &str) -> Vec<Value> {
        let state = self.state();
        let requests = state.requests.iter().filter(|(name, _)| name == operation);
        requests.map(|(_, body)| body.clone()).collect()
    }

    /// Returns the operations of all requests, in order.
    pub fn operations(&self) -> Vec<String> {
        self.state().requests.iter().map(|(operation, _)| operation.clone()).collect()
    }

    /// Waits for the next request for an operation.
    #[track_caller]
    pub fn wait_for_request(&self, operation: &str) {
        let deadline = Instant::now() + LONG;
        let before = self.requests_for(operation).len();
        let mut state = self.state();
        while state.requests.iter().filter(|(name, _)| name == operation).count() == before {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no request for {operation} came");
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
    let header = |wanted: &str| {
        head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let length = header("content-length").map(|length| length.parse::<usize>().expect("a number"));
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).expect("a body");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let operation = match header("x-amz-target") {
        Some(target) => {
            let signed = header("authorization").expect("a signature");
            assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=test/"), "{signed}");
            assert!(signed.contains("/eu-central-1/logs/aws4_request, "), "{signed}");
            assert!(signed.contains(";host;x-amz-date;x-amz-target, "), "{signed}");
            target.trim_start_matches("Logs_20140328.").to_lowercase()
        }
        None => path.trim_start_matches("/v1/").to_owned(),
    };
    let mut state = shared.0.lock().expect("no panic");
    let (status, response) = state.respond(&operation, &body);
    state.requests.push((operation, body));
    shared.1.notify_all();
    drop(shared.1.wait_while(state, |state| state.holds).expect("no panic"));
    let response = response.to_string();
    // Fails if the client has closed the connection.
    drop(write!(
        stream,
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{response}",
        response.len()
    ));
}

impl State {
    fn respond(&mut self, operation: &str, body: &Value) -> (u16, Value) {
        if let Some(index) = self.rejections.iter().position(|it| it.operation == operation) {
            if self.rejections[index].after == 0 {
                let Rejection { status, body, .. } = self.rejections.remove(index);
                return (status, body);
            }
            self.rejections[index].after -= 1;
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
                assert!(ids.len() <= 100, "AWS Batch accepts up to 100 ids");
                let jobs = ids.iter().filter_map(|id| self.jobs.get(id.as_str()?));
                (200, json!({"jobs": jobs.collect::<Vec<_>>()}))
            }
            "listjobs" => (200, self.list(body)),
            "terminatejob" => (200, json!({})),
            "getlogevents" => self.messages(body),
            other => panic!("the program has no reason to call {other}"),
        }
    }

    /// A page of a log stream.
    fn messages(&self, body: &Value) -> (u16, Value) {
        assert_eq!(
            (&body["logGroupName"], &body["startFromHead"]),
            (&json!("/render-worker"), &json!(true))
        );
        let Some(all) = self.logs.get(body["logStreamName"].as_str().expect("a stream")) else {
            let kind = "ResourceNotFoundException";
            let message = "The specified log stream does not exist.";
            return (400, json!({"__type": kind, "message": message}));
        };
        let token = body["nextToken"].as_str().map(|token| token.trim_start_matches("f/"));
        let from: usize = token.map_or(0, |token| token.parse().expect("a token"));
        let page: Vec<_> = all.iter().skip(from).take(PAGE).collect();
        let events = page.iter().map(|message| json!({"timestamp": 1, "message": message}));
        let next = format!("f/{}", from + page.len());
        let events: Vec<_> = events.collect();
        (200, json!({"events": events, "nextForwardToken": next, "nextBackwardToken": "b/0"}))
    }

    /// Lists the children of an array in a state, one page at a time, the last child first.
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

/// Returns the entry of a job in a list.
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
