//! The path of a request through the server: log, faults, S3.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Request as HttpRequest, Response};
use s3s::service::S3Service;

use super::body::{self, Counted, Reply};
use super::connection::Ending;
use super::faults::{Action, Position, Rules};
use super::log::{Entry, Log, Request};
use super::rate::FaultRate;
use super::throttle::{Throttle, Throttled};

/// Handles requests between the connections and the S3 service.
pub struct Front {
    pub log: Arc<Log>,
    pub rules: Rules,
    pub rate: FaultRate,
    pub throttle: Throttle,
    pub service: S3Service,
    /// The region that requests must be signed for; `None` accepts any.
    pub region: Option<String>,
}

/// The body of a request.
type RequestBody = Counted<Throttled<Incoming>>;

impl Front {
    /// Responds to a request. An error closes the connection without a response.
    pub async fn respond(
        &self,
        request: HttpRequest<Incoming>,
        ending: Arc<Ending>,
    ) -> io::Result<Response<Counted<Reply>>> {
        let (head, body) = request.into_parts();
        let logged = Request::new(&head);
        let mut verdict = self.rules.judge(&logged);
        if verdict.is_nothing() {
            verdict = self.rate.judge(&logged);
        }
        let entry = Arc::new(self.log.add(logged));
        if !verdict.is_nothing() {
            entry.faulted();
        }
        if !verdict.delay.is_zero() {
            tokio::time::sleep(verdict.delay).await;
        }
        for gate in &verdict.gates {
            gate.wait().await;
        }
        let body = Counted::new(self.throttle.throttle(body), &entry, Entry::received);
        let request = HttpRequest::from_parts(head, body);
        let response = match verdict.action {
            Some(action) => self.inject(action, request, ending).await?,
            None => self.serve(request.map(s3s::Body::http_body)).await?,
        };
        entry.responded(response.status().as_u16());
        Ok(response.map(|reply| Counted::new(reply, &entry, Entry::sent)))
    }

    /// Injects a fault into a request.
    async fn inject(
        &self,
        action: Action,
        request: HttpRequest<RequestBody>,
        ending: Arc<Ending>,
    ) -> io::Result<Response<Reply>> {
        match action {
            Action::Respond { status, code, headers } => {
                arrival(request.into_body()).await?;
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                Ok(error(status, &code, headers))
            }
            Action::Reset => {
                ending.reset();
                Err(hang_up())
            }
            Action::Close => {
                arrival(request.into_body()).await?;
                Err(hang_up())
            }
            Action::LoseResponse => {
                self.whole(request).await?;
                Err(hang_up())
            }
            Action::ResetAfter => {
                self.whole(request).await?;
                ending.reset();
                Err(hang_up())
            }
            Action::ResetUpload { after } => {
                let after = after.index(length(&request));
                body::read(&mut request.into_body(), after).await.map_err(io::Error::other)?;
                ending.reset();
                Err(hang_up())
            }
            Action::StallUpload { after } => {
                // `body` stays alive: dropping an unread body closes the connection.
                let mut body = request.into_body();
                body::read(&mut body, after).await.map_err(io::Error::other)?;
                std::future::pending().await
            }
            Action::CorruptUpload { at } => {
                let (head, body) = request.into_parts();
                let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
                let corrupt = s3s::Body::from(flip_bit(bytes, at));
                let response = self.serve(HttpRequest::from_parts(head, corrupt)).await?;
                // `s3s` notices the mismatch while it writes, and returns an internal error.
                let is_internal = response.status().is_server_error();
                Ok(if is_internal { error(400, "XAmzContentSHA256Mismatch", []) } else { response })
            }
            Action::Stall => {
                arrival(request.into_body()).await?;
                std::future::pending().await
            }
            Action::TruncateBody { after, hang } => {
                let (head, bytes) = self.whole(request).await?;
                let after = after.index(bytes.len());
                Ok(Response::from_parts(head, body::cut(bytes, after, hang, ending)))
            }
            Action::StallBody { after } => {
                let (head, bytes) = self.whole(request).await?;
                Ok(Response::from_parts(head, body::stalled(bytes, after)))
            }
            Action::DripBody { bytes_per_second } => {
                let (head, bytes) = self.whole(request).await?;
                Ok(Response::from_parts(head, body::slow(bytes, bytes_per_second)))
            }
            Action::FlipBit { at } => {
                let (head, bytes) = self.whole(request).await?;
                Ok(Response::from_parts(head, body::full(flip_bit(bytes, at))))
            }
        }
    }

    /// Returns the genuine response to a request.
    async fn serve(&self, request: HttpRequest<s3s::Body>) -> io::Result<Response<Reply>> {
        if let Some(region) = &self.region
            && signed_region(request.headers()).is_some_and(|signed| signed != region)
        {
            body::drain(request.into_body()).await.map_err(io::Error::other)?;
            let header = ("x-amz-bucket-region", region.as_str());
            return Ok(error(301, "PermanentRedirect", [header]));
        }
        let response = self.service.call(request).await.map_err(|_| hang_up())?;
        Ok(response.map(BodyExt::boxed_unsync))
    }

    /// Returns the genuine response to a request with its whole body, and sets `Content-Length`.
    async fn whole(&self, request: HttpRequest<RequestBody>) -> io::Result<(Parts, Bytes)> {
        let request = request.map(s3s::Body::http_body);
        let (mut head, body) = self.serve(request).await?.into_parts();
        let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
        head.headers.entry(CONTENT_LENGTH).or_insert(bytes.len().into());
        Ok((head, bytes))
    }
}

/// Waits until a request has arrived completely.
async fn arrival(body: RequestBody) -> io::Result<()> {
    body::drain(body).await.map_err(io::Error::other)
}

/// Returns the `Content-Length` of a request.
fn length<B>(request: &HttpRequest<B>) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or_default()
}

/// Flips one bit of a byte, if the byte exists.
fn flip_bit(bytes: Bytes, at: Position) -> Bytes {
    let at = at.index(bytes.len());
    let mut bytes = Vec::from(bytes);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    bytes.into()
}

/// Returns the error that closes the connection.
fn hang_up() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

/// Returns the region that a request is signed for.
fn signed_region(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split('/').nth(2)
}

/// Creates an error response in the format of S3.
fn error<'a>(
    status: u16,
    code: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Response<Reply> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>{code}, injected by the test</Message>\
         <RequestId>TEST0REQUEST</RequestId></Error>"
    );
    let mut response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/xml")
        .header("x-amz-request-id", "TEST0REQUEST");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body::full(xml.into())).expect("a response with a valid status and valid headers")
}
