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
use super::faults::{Action, Rules};
use super::log::{Entry, Log, Request};

/// What stands between the connections and the S3 service.
pub struct Front {
    pub log: Arc<Log>,
    pub rules: Rules,
    pub service: S3Service,
    /// The region that requests must be signed for, if it matters.
    pub region: Option<String>,
}

type Answer = Response<Counted<Reply>>;

impl Front {
    /// Answers a request. An error closes its connection without an answer.
    pub async fn answer(
        &self,
        request: HttpRequest<Incoming>,
        ending: Arc<Ending>,
    ) -> io::Result<Answer> {
        let (head, body) = request.into_parts();
        let asked = Request::new(&head);
        let verdict = self.rules.judge(&asked);
        let entry = Arc::new(self.log.open(asked));
        if verdict.action.is_some() || !verdict.delay.is_zero() {
            entry.faulted();
        }
        if !verdict.delay.is_zero() {
            tokio::time::sleep(verdict.delay).await;
        }
        let body = Counted::new(body, &entry, Entry::received);
        let request = HttpRequest::from_parts(head, body);
        let answer = match verdict.action {
            Some(action) => self.disturb(action, request, ending).await?,
            None => self.serve(request).await?,
        };
        entry.answered(answer.status().as_u16());
        Ok(answer.map(|reply| Counted::new(reply, &entry, Entry::sent)))
    }

    /// Does to a request what a rule says.
    async fn disturb(
        &self,
        action: Action,
        request: HttpRequest<Counted<Incoming>>,
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
            Action::Stall => {
                arrival(request.into_body()).await?;
                std::future::pending().await
            }
            Action::TruncateBody { after } => {
                let (head, bytes) = self.whole(request).await?;
                Ok(Response::from_parts(head, body::cut(bytes, after, ending)))
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
                let mut bytes = Vec::from(bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1;
                }
                Ok(Response::from_parts(head, body::full(bytes.into())))
            }
        }
    }

    /// The true answer to a request.
    async fn serve(&self, request: HttpRequest<Counted<Incoming>>) -> io::Result<Response<Reply>> {
        if let Some(region) = &self.region
            && signed_region(request.headers()).is_some_and(|signed| signed != region)
        {
            arrival(request.into_body()).await?;
            let header = ("x-amz-bucket-region", region.as_str());
            return Ok(error(301, "PermanentRedirect", [header]));
        }
        let request = request.map(s3s::Body::http_body);
        let answer = self.service.call(request).await;
        let answer = answer.map_err(|_| hang_up())?;
        Ok(answer.map(BodyExt::boxed_unsync))
    }

    /// The true answer to a request, with the whole of its body, whose length
    /// is in the head.
    async fn whole(&self, request: HttpRequest<Counted<Incoming>>) -> io::Result<(Parts, Bytes)> {
        let (mut head, body) = self.serve(request).await?.into_parts();
        let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
        head.headers.entry(CONTENT_LENGTH).or_insert(bytes.len().into());
        Ok((head, bytes))
    }
}

/// Waits for the whole of a request.
async fn arrival(body: Counted<Incoming>) -> io::Result<()> {
    body::drain(body).await.map_err(io::Error::other)
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
