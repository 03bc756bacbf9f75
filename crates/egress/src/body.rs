//! What comes back, up to a limit.

use reqwest::Response;

use crate::error::EgressError;

/// The whole body. Stops as soon as it is larger than `limit` bytes, whatever length was announced.
///
/// # Errors
/// [`EgressError::TooLarge`], [`EgressError::Timeout`], [`EgressError::Http`].
pub async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, EgressError> {
    let host = response.url().host_str().unwrap_or_default().to_owned();
    let too_large = |host| Err(EgressError::TooLarge { host, limit });
    let announced = response.content_length().unwrap_or_default();
    if announced > limit as u64 {
        return too_large(host);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| EgressError::of_http(&host, &e))? {
        if chunk.len() > limit - body.len() {
            return too_large(host);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
