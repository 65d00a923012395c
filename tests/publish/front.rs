//! ECR is one service with two faces, and moto's API and Debian's registry are two that
//! know nothing of each other. This stands in front of both: what is pushed becomes
//! known to the API, what the API tags is tagged in the registry, and a tag that cannot
//! be moved is refused to either. It also gives moto, which has no ECR Public, that
//! service's names. Whatever else it lets through as it is.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

/// Where the private repositories are.
pub const REGION: &str = "eu-central-1";
/// Where ECR Public is.
pub const PUBLIC_REGION: &str = "us-east-1";
/// The name that ECR Public has given to the account.
pub const ALIAS: &str = "a1b2c3d4";
/// What moto makes the login with; `cloud` tells it to the registry.
const LOGIN: &str = "Basic QVdTOjEyMzQ1Njc4OTAxMi1hdXRoLXRva2Vu";

/// The manifests that the registry may answer with.
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
const ECR_PUBLIC: &str = "SpencerFrontendService";

type Answer = Response<Full<Bytes>>;
type Errand = Box<dyn FnOnce() + Send>;

/// The stand-in, which serves until it is dropped.
pub struct Front {
    /// Where both services are reached.
    pub address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

struct State {
    address: SocketAddr,
    moto: SocketAddr,
    registry: SocketAddr,
    log: Mutex<Vec<String>>,
    errands: Mutex<Vec<(String, Errand)>>,
    denied: Mutex<Vec<String>>,
}

impl Front {
    pub fn start(moto: SocketAddr, registry: SocketAddr) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            address,
            moto,
            registry,
            log: Mutex::default(),
            errands: Mutex::default(),
            denied: Mutex::default(),
        });
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, runtime: Some(runtime) }
    }

    /// Every request so far: `CreateRepository` of the API, `PUT /v2/…` of the registry.
    pub fn log(&self) -> Vec<String> {
        self.state.log.lock().expect("no panic").clone()
    }

    /// Does something when a request that ends so has come, before it is carried out.
    pub fn just_before(&self, request: &str, errand: impl FnOnce() + Send + 'static) {
        let errand = (request.to_owned(), Box::new(errand) as Errand);
        self.state.errands.lock().expect("no panic").push(errand);
    }

    /// Denies these requests from now on.
    pub fn deny(&self, request: &str) {
        self.state.denied.lock().expect("no panic").push(request.to_owned());
    }

    /// Somebody else with rights to the account, who can act in an errand.
    pub fn elsewhere(&self) -> Elsewhere {
        let runtime = self.runtime.as_ref().expect("a runtime until now");
        Elsewhere { state: Arc::clone(&self.state), runtime: runtime.handle().clone() }
    }

    /// What the registry has at a place below `/v2/`, and its digest.
    pub fn stored(&self, place: &str) -> (String, Bytes) {
        let request = Request::get(format!("/v2/{place}"))
            .header(HOST, self.state.registry.to_string())
            .header(AUTHORIZATION, LOGIN)
            .header(ACCEPT, MANIFESTS)
            .body(Bytes::new())
            .expect("a request");
        let runtime = self.runtime.as_ref().expect("a runtime until now");
        let registry = self.state.registry;
        runtime.block_on(async {
            let (head, body) = forward(registry, request).await.expect("an answer").into_parts();
            assert!(head.status.is_success(), "{place}: {}", head.status);
            (text(&head.headers["docker-content-digest"]), whole(body).await)
        })
    }

    /// Denies nothing any more.
    pub fn allow_all(&self) {
        self.state.denied.lock().expect("no panic").clear();
    }
}

/// Somebody else with rights to the account.
pub struct Elsewhere {
    state: Arc<State>,
    runtime: Handle,
}

impl Elsewhere {
    /// Asks the API for something, which must go well.
    pub fn ask(&self, region: &str, operation: &str, asked: &Value) -> Value {
        let asking = self.state.ask_moto(region, operation, asked);
        let (status, answer) = self.runtime.block_on(asking).expect("an answer");
        assert!(status.is_success(), "{operation}: {answer}");
        answer
    }

    /// Makes a repository.
    pub fn make_repository(&self, name: &str) {
        self.ask(REGION, "CreateRepository", &json!({"repositoryName": name}));
    }

    /// Puts a tag on an image.
    pub fn tag(&self, repository: &str, digest: &str, tag: &str) {
        let asked = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]});
        let found = self.ask(REGION, "BatchGetImage", &asked);
        let manifest = found["images"][0]["imageManifest"].as_str().expect("a manifest");
        let parsed: Value = serde_json::from_str(manifest).expect("JSON");
        let image = json!({
            "repositoryName": repository,
            "imageTag": tag,
            "imageDigest": digest,
            "imageManifest": manifest,
            "imageManifestMediaType": parsed["mediaType"],
        });
        self.ask(REGION, "PutImage", &image);
        let tagging = self.state.tag_in_registry(false, &image);
        self.runtime.block_on(tagging).expect("an answer");
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.runtime.take().expect("a runtime until now").shutdown_background();
    }
}

async fn accept(listener: StdListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let answer = service_fn(|request| State::answer(Arc::clone(&state), request));
            let http = hyper::server::conn::http1::Builder::new();
            // A client may go when it likes.
            drop(http.serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

impl State {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let request = Request::from_parts(head, body);
        let name = name_of(&request);
        self.log.lock().expect("no panic").push(name.clone());
        self.run_errands(&name).await;
        if self.denied.lock().expect("no panic").contains(&name) {
            let body = json!({"__type": "AccessDeniedException", "message": "no, says the test"});
            return Ok(answer(StatusCode::BAD_REQUEST, &body));
        }
        if request.uri().path().starts_with("/v2/") {
            self.registry(request).await
        } else {
            self.api(request).await
        }
    }

    /// Each in a thread where it may take its time, and send requests of its own.
    async fn run_errands(&self, name: &str) {
        let mine: Vec<_> = {
            let mut errands = self.errands.lock().expect("no panic");
            errands.extract_if(.., |(request, _)| name.ends_with(request.as_str())).collect()
        };
        for (_, errand) in mine {
            tokio::task::spawn_blocking(errand).await.expect("an errand that goes well");
        }
    }

    /// A request to the registry. A manifest that is put under a tag is one to ECR, too.
    async fn registry(&self, request: Request<Bytes>) -> Result<Answer, hyper::Error> {
        let path = request.uri().path().to_owned();
        let tagged = path
            .strip_prefix("/v2/")
            .and_then(|path| path.split_once("/manifests/"))
            .filter(|(_, tag)| request.method() == Method::PUT && !tag.contains(':'));
        let Some((repository, tag)) = tagged else {
            return forward(self.registry, request).await;
        };
        let public = repository.strip_prefix(&format!("{ALIAS}/"));
        let region = if public.is_some() { PUBLIC_REGION } else { REGION };
        let repository = public.unwrap_or(repository);
        if let Some(refusal) = self.refusal(region, repository, tag).await? {
            return Ok(refusal);
        }
        let manifest = request.body().clone();
        let media_type = request.headers()[CONTENT_TYPE].clone();
        let stored = forward(self.registry, request).await?;
        if stored.status().is_success() {
            let digest = text(&stored.headers()["docker-content-digest"]);
            let image = json!({
                "repositoryName": repository,
                "imageTag": tag,
                "imageDigest": digest,
                "imageManifest": std::str::from_utf8(&manifest).expect("JSON"),
                "imageManifestMediaType": text(&media_type),
            });
            let (status, answer) = self.ask_moto(region, "PutImage", &image).await?;
            assert!(status.is_success(), "moto does not take an image: {answer}");
        }
        Ok(stored)
    }

    /// How ECR refuses an image that is pushed: where there is no repository for it,
    /// or the tag is there and cannot be moved.
    async fn refusal(
        &self,
        region: &str,
        repository: &str,
        tag: &str,
    ) -> Result<Option<Answer>, hyper::Error> {
        let asked = json!({"repositoryNames": [repository]});
        let (status, found) = self.ask_moto(region, "DescribeRepositories", &asked).await?;
        if !status.is_success() {
            let message = format!("The repository with name '{repository}' does not exist");
            let errors = json!({"errors": [{"code": "NAME_UNKNOWN", "message": message}]});
            return Ok(Some(answer(StatusCode::NOT_FOUND, &errors)));
        }
        let asked = json!({"repositoryName": repository, "imageIds": [{"imageTag": tag}]});
        let (status, _) = self.ask_moto(region, "DescribeImages", &asked).await?;
        if !status.is_success() || found["repositories"][0]["imageTagMutability"] == "MUTABLE" {
            return Ok(None);
        }
        let message = format!(
            "The image tag '{tag}' already exists in the '{repository}' repository and \
             cannot be overwritten because the tag is immutable."
        );
        let errors = json!({"errors": [{"code": "TAG_INVALID", "message": message}]});
        Ok(Some(answer(StatusCode::BAD_REQUEST, &errors)))
    }

    /// A request to the API. An image that is put there is put into the registry, too.
    async fn api(&self, mut request: Request<Bytes>) -> Result<Answer, hyper::Error> {
        let public = speaks_public(&mut request);
        let name = name_of(&request);
        let asked: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let (mut head, body) = forward(self.moto, request).await?.into_parts();
        if name == "PutImage" && head.status.is_success() {
            self.tag_in_registry(public, &asked).await?;
        }
        let mut body = whole(body).await;
        if public && name == "GetAuthorizationToken" {
            // There the one login is not in a list.
            let mut login: Value = serde_json::from_slice(&body).expect("JSON");
            login["authorizationData"] = login["authorizationData"][0].take();
            body = login.to_string().into();
        }
        let mut text = String::from_utf8(body.to_vec()).expect("text");
        let path = if public { format!("/{ALIAS}") } else { String::new() };
        for region in [REGION, PUBLIC_REGION] {
            let host = format!("123456789012.dkr.ecr.{region}.amazonaws.com");
            text = text.replace(&host, &format!("{}{path}", self.address));
        }
        head.headers.insert(CONTENT_LENGTH, text.len().into());
        Ok(Response::from_parts(head, Full::new(text.into())))
    }

    async fn tag_in_registry(&self, public: bool, image: &Value) -> Result<(), hyper::Error> {
        let field = |name: &str| image[name].as_str().expect("a field of an image").to_owned();
        let path = if public { format!("{ALIAS}/") } else { String::new() };
        let place =
            format!("/v2/{path}{}/manifests/{}", field("repositoryName"), field("imageTag"));
        let request = Request::put(place)
            .header(HOST, self.registry.to_string())
            .header(AUTHORIZATION, LOGIN)
            .header(CONTENT_TYPE, field("imageManifestMediaType"))
            .body(Bytes::from(field("imageManifest")))
            .expect("a request");
        let stored = forward(self.registry, request).await?;
        assert!(stored.status().is_success(), "the registry does not take {image}");
        assert_eq!(text(&stored.headers()["docker-content-digest"]), field("imageDigest"));
        Ok(())
    }

    async fn ask_moto(
        &self,
        region: &str,
        operation: &str,
        asked: &Value,
    ) -> Result<(StatusCode, Value), hyper::Error> {
        let signature =
            format!("AWS4-HMAC-SHA256 Credential=TEST/20260101/{region}/ecr/aws4_request");
        let request = Request::post("/")
            .header(HOST, self.moto.to_string())
            .header(AUTHORIZATION, signature)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{ECR}.{operation}"))
            .body(Bytes::from(asked.to_string()))
            .expect("a request");
        let (head, body) = forward(self.moto, request).await?.into_parts();
        Ok((head.status, serde_json::from_slice(&whole(body).await).unwrap_or_default()))
    }
}

/// What a request is called in the log.
fn name_of(request: &Request<Bytes>) -> String {
    match request.headers().get("x-amz-target") {
        Some(target) => text(target).rsplit('.').next().expect("a name").to_owned(),
        None => format!("{} {}", request.method(), request.uri().path()),
    }
}

/// Whether a request is to ECR Public; it is made one to ECR.
fn speaks_public(request: &mut Request<Bytes>) -> bool {
    let mut rename = |header: &'static str, from: &str, to: &str| {
        let headers: &mut HeaderMap = request.headers_mut();
        let Some(value) = headers.get(header).map(text) else { return false };
        let renamed = value.replace(from, to);
        headers.insert(header, HeaderValue::from_str(&renamed).expect("a value"));
        renamed != value
    };
    rename("authorization", "/ecr-public/", "/ecr/");
    rename("x-amz-target", ECR_PUBLIC, ECR)
}

async fn whole(body: Full<Bytes>) -> Bytes {
    body.collect().await.expect("a body in memory").to_bytes()
}

fn text(value: &HeaderValue) -> String {
    value.to_str().expect("text").to_owned()
}

/// Sends a request on to another server.
async fn forward(server: SocketAddr, request: Request<Bytes>) -> Result<Answer, hyper::Error> {
    let stream = TcpStream::connect(server).await.expect("a server that is there");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let serving = tokio::spawn(connection);
    let head_only = request.method() == Method::HEAD;
    let (mut head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    serving.abort();
    if !head_only {
        head.headers.remove(hyper::header::TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok(Response::from_parts(head, Full::new(body)))
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body.to_string().into()))
        .expect("an answer")
}
