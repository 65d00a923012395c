//! A proxy that turns moto's API and Debian's registry into one ECR. Images that are pushed are
//! added to the API, tags of the API are added to the registry, and immutable tags are rejected in
//! both. It also translates requests for ECR Public, which moto does not have. All other requests
//! are forwarded unchanged.

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

/// The region of the private repositories.
pub const REGION: &str = "eu-central-1";
/// The region of ECR Public.
pub const PUBLIC_REGION: &str = "us-east-1";
/// The alias of the account in ECR Public.
pub const ALIAS: &str = "a1b2c3d4";
/// The Authorization header for moto's login, which `cloud` configures in the registry.
const LOGIN: &str = "Basic QVdTOjEyMzQ1Njc4OTAxMi1hdXRoLXRva2Vu";

/// The accepted manifest types.
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
const ECR_PUBLIC: &str = "SpencerFrontendService";

type Reply = Response<Full<Bytes>>;
type Hook = Box<dyn FnOnce() + Send>;

/// The proxy. Dropping it stops it.
pub struct Front {
    /// The address of both services.
    pub address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

struct State {
    address: SocketAddr,
    moto: SocketAddr,
    registry: SocketAddr,
    log: Mutex<Vec<String>>,
    hooks: Mutex<Vec<(String, Hook)>>,
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
            hooks: Mutex::default(),
            denied: Mutex::default(),
        });
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, runtime: Some(runtime) }
    }

    /// Returns all requests so far, such as `CreateRepository` (API) or `PUT /v2/…` (registry).
    pub fn log(&self) -> Vec<String> {
        self.state.log.lock().expect("no panic").clone()
    }

    /// Runs a hook before the next request that ends with `request` is forwarded.
    pub fn just_before(&self, request: &str, hook: impl FnOnce() + Send + 'static) {
        let hook = (request.to_owned(), Box::new(hook) as Hook);
        self.state.hooks.lock().expect("no panic").push(hook);
    }

    /// Denies these requests from now on.
    pub fn deny(&self, request: &str) {
        self.state.denied.lock().expect("no panic").push(request.to_owned());
    }

    /// Returns another user of the account, who can act in a hook.
    pub fn other_user(&self) -> OtherUser {
        let runtime = self.runtime.as_ref().expect("a runtime until the drop");
        OtherUser { state: Arc::clone(&self.state), runtime: runtime.handle().clone() }
    }

    /// Returns the digest and content of a path below `/v2/` in the registry.
    pub fn stored(&self, path: &str) -> (String, Bytes) {
        let request = Request::get(format!("/v2/{path}"))
            .header(HOST, self.state.registry.to_string())
            .header(AUTHORIZATION, LOGIN)
            .header(ACCEPT, MANIFESTS)
            .body(Bytes::new())
            .expect("a request");
        let runtime = self.runtime.as_ref().expect("a runtime until the drop");
        let registry = self.state.registry;
        runtime.block_on(async {
            let (head, body) = forward(registry, request).await.expect("a response").into_parts();
            assert!(head.status.is_success(), "{path}: {}", head.status);
            (text(&head.headers["docker-content-digest"]), whole(body).await)
        })
    }

    /// Denies no more requests.
    pub fn allow_all(&self) {
        self.state.denied.lock().expect("no panic").clear();
    }
}

/// Another user of the account.
pub struct OtherUser {
    state: Arc<State>,
    runtime: Handle,
}

impl OtherUser {
    /// Calls an operation of the API with success.
    pub fn call(&self, region: &str, operation: &str, request: &Value) -> Value {
        let call = self.state.call_moto(region, operation, request);
        let (status, response) = self.runtime.block_on(call).expect("a response");
        assert!(status.is_success(), "{operation}: {response}");
        response
    }

    /// Creates a repository.
    pub fn create_repository(&self, name: &str) {
        self.call(REGION, "CreateRepository", &json!({"repositoryName": name}));
    }

    /// Adds a tag to an image.
    pub fn tag(&self, repository: &str, digest: &str, tag: &str) {
        let request = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]});
        let found = self.call(REGION, "BatchGetImage", &request);
        let manifest = found["images"][0]["imageManifest"].as_str().expect("a manifest");
        let parsed: Value = serde_json::from_str(manifest).expect("JSON");
        let image = json!({
            "repositoryName": repository,
            "imageTag": tag,
            "imageDigest": digest,
            "imageManifest": manifest,
            "imageManifestMediaType": parsed["mediaType"],
        });
        self.call(REGION, "PutImage", &image);
        let tagging = self.state.tag_in_registry(false, &image);
        self.runtime.block_on(tagging).expect("a response");
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.runtime.take().expect("a runtime until the drop").shutdown_background();
    }
}

async fn accept(listener: StdListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let respond = service_fn(|request| State::respond(Arc::clone(&state), request));
            let http = hyper::server::conn::http1::Builder::new();
            // Fails if the client closes the connection.
            drop(http.serve_connection(TokioIo::new(stream), respond).await);
        });
    }
}

impl State {
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Result<Reply, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let request = Request::from_parts(head, body);
        let name = name_of(&request);
        self.log.lock().expect("no panic").push(name.clone());
        self.run_hooks(&name).await;
        if self.denied.lock().expect("no panic").contains(&name) {
            let body = json!({"__type": "AccessDeniedException", "message": "denied by the test"});
            return Ok(reply(StatusCode::BAD_REQUEST, &body));
        }
        if request.uri().path().starts_with("/v2/") {
            self.registry(request).await
        } else {
            self.api(request).await
        }
    }

    /// Runs the hooks of a request, on threads where they may block and send requests.
    async fn run_hooks(&self, name: &str) {
        let matching: Vec<_> = {
            let mut hooks = self.hooks.lock().expect("no panic");
            hooks.extract_if(.., |(request, _)| name.ends_with(request.as_str())).collect()
        };
        for (_, hook) in matching {
            tokio::task::spawn_blocking(hook).await.expect("a hook without a panic");
        }
    }

    /// Handles a request to the registry. A tagged manifest is also added to the API.
    async fn registry(&self, request: Request<Bytes>) -> Result<Reply, hyper::Error> {
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
        if let Some(rejection) = self.rejection(region, repository, tag).await? {
            return Ok(rejection);
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
            let (status, response) = self.call_moto(region, "PutImage", &image).await?;
            assert!(status.is_success(), "moto rejects an image: {response}");
        }
        Ok(stored)
    }

    /// Returns ECR's error for a push if the repository does not exist, or if the tag exists and is
    /// immutable.
    async fn rejection(
        &self,
        region: &str,
        repository: &str,
        tag: &str,
    ) -> Result<Option<Reply>, hyper::Error> {
        let request = json!({"repositoryNames": [repository]});
        let (status, found) = self.call_moto(region, "DescribeRepositories", &request).await?;
        if !status.is_success() {
            let message = format!("The repository with name '{repository}' does not exist");
            let errors = json!({"errors": [{"code": "NAME_UNKNOWN", "message": message}]});
            return Ok(Some(reply(StatusCode::NOT_FOUND, &errors)));
        }
        let request = json!({"repositoryName": repository, "imageIds": [{"imageTag": tag}]});
        let (status, _) = self.call_moto(region, "DescribeImages", &request).await?;
        if !status.is_success() || found["repositories"][0]["imageTagMutability"] == "MUTABLE" {
            return Ok(None);
        }
        let message = format!(
            "The image tag '{tag}' already exists in the '{repository}' repository and \
             cannot be overwritten because the tag is immutable."
        );
        let errors = json!({"errors": [{"code": "TAG_INVALID", "message": message}]});
        Ok(Some(reply(StatusCode::BAD_REQUEST, &errors)))
    }

    /// Handles a request to the API. An image that is tagged there is also tagged in the registry.
    async fn api(&self, mut request: Request<Bytes>) -> Result<Reply, hyper::Error> {
        let public = translate_public(&mut request);
        let name = name_of(&request);
        let image: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let (mut head, body) = forward(self.moto, request).await?.into_parts();
        if name == "PutImage" && head.status.is_success() {
            self.tag_in_registry(public, &image).await?;
        }
        let mut body = whole(body).await;
        if public && name == "GetAuthorizationToken" {
            // ECR Public returns the login itself, ECR a list with one.
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
        let path = format!("/v2/{path}{}/manifests/{}", field("repositoryName"), field("imageTag"));
        let request = Request::put(path)
            .header(HOST, self.registry.to_string())
            .header(AUTHORIZATION, LOGIN)
            .header(CONTENT_TYPE, field("imageManifestMediaType"))
            .body(Bytes::from(field("imageManifest")))
            .expect("a request");
        let stored = forward(self.registry, request).await?;
        assert!(stored.status().is_success(), "the registry rejects {image}");
        assert_eq!(text(&stored.headers()["docker-content-digest"]), field("imageDigest"));
        Ok(())
    }

    async fn call_moto(
        &self,
        region: &str,
        operation: &str,
        request: &Value,
    ) -> Result<(StatusCode, Value), hyper::Error> {
        let signature =
            format!("AWS4-HMAC-SHA256 Credential=TEST/20260101/{region}/ecr/aws4_request");
        let call = Request::post("/")
            .header(HOST, self.moto.to_string())
            .header(AUTHORIZATION, signature)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{ECR}.{operation}"))
            .body(Bytes::from(request.to_string()))
            .expect("a request");
        let (head, body) = forward(self.moto, call).await?.into_parts();
        Ok((head.status, serde_json::from_slice(&whole(body).await).unwrap_or_default()))
    }
}

/// Returns the name of a request in the log.
fn name_of(request: &Request<Bytes>) -> String {
    match request.headers().get("x-amz-target") {
        Some(target) => text(target).rsplit('.').next().expect("a name").to_owned(),
        None => format!("{} {}", request.method(), request.uri().path()),
    }
}

/// Turns a request for ECR Public into one for ECR. Returns whether it was one.
fn translate_public(request: &mut Request<Bytes>) -> bool {
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

/// Forwards a request to another server.
async fn forward(server: SocketAddr, request: Request<Bytes>) -> Result<Reply, hyper::Error> {
    let stream = TcpStream::connect(server).await.expect("a running server");
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

fn reply(status: StatusCode, body: &Value) -> Reply {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body.to_string().into()))
        .expect("a response")
}
