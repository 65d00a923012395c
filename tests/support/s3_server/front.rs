//! The way of a request through the server: log, faults, S3.

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
use super::faults::{Action, Place, Rules};
use super::log::{Entry, Log, Request};
use super::rate::FaultRate;
use super::throttle::{Slowed, Throttle};

/// What stands between the connections and the S3 service.
pub struct Front {
    pub log: Arc<Log>,
    pub rules: Rules,
    pub rate: FaultRate,
    pub throttle: Throttle,
    pub service: S3Service,
    /// The region that requests must be signed for, if it matters.
    pub region: Option<String>,
}

type Answer = Response<Counted<Reply>>;

/// The body of a request.
type Asked = Counted<Slowed<Incoming>>;

impl Front {
    /// Answers a request. An error closes its connection without an answer.
    pub async fn answer(
        &self,
        request: HttpRequest<Incoming>,
        ending: Arc<Ending>,
    ) -> io::Result<Answer> {
        let (head, body) = request.into_parts();
        let asked = Request::new(&head);
        let mut verdict = self.rules.judge(&asked);
        if verdict.is_nothing() {
            verdict = self.rate.judge(&asked);
        }
        let entry = Arc::new(self.log.open(asked));
        if !verdict.is_nothing() {
            entry.faulted();
        }
        if !verdict.delay.is_zero() {
            tokio::time::sleep(verdict.delay).await;
        }
        let body = Counted::new(self.throttle.slow(body), &entry, Entry::received);
        let request = HttpRequest::from_parts(head, body);
        let answer = match verdict.action {
            Some(action) => self.disturb(action, request, ending).await?,
            None => self.serve(request.map(s3s::Body::http_body)).await?,
        };
        entry.answered(answer.status().as_u16());
        Ok(answer.map(|reply| Counted::new(reply, &entry, Entry::sent)))
    }

    /// Does to a request what a rule says.
    async fn disturb(
        &self,
        action: Action,
        request: HttpRequest<Asked>,
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
            Action::LoseAnswer => {
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
                // Kept: dropping a body that was not read to its end closes the connection.
                let mut body = request.into_body();
                body::read(&mut body, after).await.map_err(io::Error::other)?;
                std::future::pending().await
            }
            Action::SpoilUpload { at } => {
                let (head, body) = request.into_parts();
                let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
                let spoilt = s3s::Body::from(flip_bit(bytes, at));
                let answer = self.serve(HttpRequest::from_parts(head, spoilt)).await?;
                // `s3s` sees it while it writes, and knows no better words.
                let unsaid = answer.status().is_server_error();
                Ok(if unsaid { error(400, "XAmzContentSHA256Mismatch", []) } else { answer })
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

    /// The true answer to a request.
    async fn serve(&self, request: HttpRequest<s3s::Body>) -> io::Result<Response<Reply>> {
        if let Some(region) = &self.region
            && signed_region(request.headers()).is_some_and(|signed| signed != region)
        {
            body::drain(request.into_body()).await.map_err(io::Error::other)?;
            let header = ("x-amz-bucket-region", region.as_str());
            return Ok(error(301, "PermanentRedirect", [header]));
        }
        let answer = self.service.call(request).await;
        let answer = answer.map_err(|_| hang_up())?;
        Ok(answer.map(BodyExt::boxed_unsync))
    }

    /// The true answer to a request, with the whole of its body, whose length
    /// is in the head.
    async fn whole(&self, request: HttpRequest<Asked>) -> io::Result<(Parts, Bytes)> {
        let request = request.map(s3s::Body::http_body);
        let (mut head, body) = self.serve(request).await?.into_parts();
        let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
        head.headers.entry(CONTENT_LENGTH).or_insert(bytes.len().into());
        Ok((head, bytes))
    }
}

/// Waits for the whole of a request.
async fn arrival(body: Asked) -> io::Result<()> {
    body::drain(body).await.map_err(io::Error::other)
}

/// How long the body of a request says it is.
fn length<B>(request: &HttpRequest<B>) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or_default()
}

/// One wrong bit in one byte, if there is that byte.
fn flip_bit(bytes: Bytes, at: Place) -> Bytes {
    let at = at.index(bytes.len());
    let mut bytes = Vec::from(bytes);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    bytes.into()
}

/// Closes the connection.
fn hang_up() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

/// The region that a request is signed for.
fn signed_region(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split('/').nth(2)
}

/// An error as S3 answers it.
fn error<'a>(
    status: u16,
    code: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Response<Reply> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>{code}, said by the test</Message>\
         <RequestId>TEST0REQUEST</RequestId></Error>"
    );
    let mut response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/xml")
        .header("x-amz-request-id", "TEST0REQUEST");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body::full(xml.into())).expect("an answer with a valid status and valid headers")
}
