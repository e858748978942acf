//! Slow clients: whoever sends a body too slowly, or does not take what they asked for, is cut off, so that a few connections that do nothing
//! cannot hold what everybody needs. (A request's first lines have ten seconds, and at most 128 KiB and 96 headers, by actix.)

use std::{
    any::Any,
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    Error as WebError, HttpMessage, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Extensions, Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::header::{self, HeaderValue},
    middleware::Next,
    web::{self, Bytes},
};
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

use crate::{app::App, error::Error};

/// How long nothing may come, or nothing be taken.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// On the whole, a second of waiting has to bring this many bytes: a telephone at the edge of its network sends ten times as much.
const LEAST_PER_SECOND: u64 = 500;

/// A body that has to keep coming. Time in which nobody here asked for more of it does not count.
struct Paced {
    inner: Payload,
    patience: Duration,
    came: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    cut: Rc<Cell<bool>>,
}

impl Paced {
    /// How long the next bytes may take: the patience, and no more than what came until now has earned.
    fn allowed(&self) -> Duration {
        let earned = Duration::from_secs(self.came / LEAST_PER_SECOND);
        self.patience.min((self.patience + earned).saturating_sub(self.waited))
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let allowed = self.allowed();
        let (_, end) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(allowed))));
        end.as_mut().poll(context).is_ready()
    }
}

impl Stream for Paced {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.inner).poll_next(context) {
            Poll::Pending if self.is_over(context) => {
                self.cut.set(true);
                Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(piece) => {
                if let Some((since, _)) = self.waiting.take() {
                    self.waited += since.elapsed();
                }
                if let Some(Ok(bytes)) = &piece {
                    self.came = self.came.saturating_add(bytes.len() as u64);
                }
                Poll::Ready(piece)
            }
        }
    }
}

/// Puts the body of a request under a time, and answers 408 where it ran out.
pub async fn body(mut request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, WebError> {
    let inner = request.take_payload();
    let patience = request.app_data::<web::Data<App>>().map_or(PATIENCE, |app| app.config.patience);
    if matches!(inner, Payload::None) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let cut = Rc::new(Cell::new(false));
    let paced = Paced { inner, patience, came: 0, waited: Duration::ZERO, waiting: None, cut: Rc::clone(&cut) };
    request.set_payload(Payload::Stream { payload: Box::pin(paced) });
    let response = next.call(request).await?.map_into_boxed_body();
    if !cut.get() {
        return Ok(response);
    }
    let mut answer = HttpResponse::from_error(Error::TooSlow);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(ServiceResponse::new(response.into_parts().0, answer))
}

/// Has the system end a connection whose other side takes nothing for this long (RFC 5482; Linux also counts a closed window).
#[cfg(target_os = "linux")]
pub fn connected(connection: &dyn Any, patience: Duration) {
    let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
    let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, millis) {
        log::debug!("a connection keeps the system's own patience: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub fn connected(_: &dyn Any, _: Duration) {}

/// What actix calls when a connection is made.
pub fn on_connect(patience: Duration) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send + Sync + 'static {
    move |connection, _| connected(connection, patience)
}
