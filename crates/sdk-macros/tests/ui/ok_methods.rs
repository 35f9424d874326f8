//! Methods, and functions that return a future.
#![deny(warnings)]
use std::pin::Pin;
use tempo_sdk_otel::instrument;

/// `Debug` is not required of the receiver.
struct Shop {
    orders: u64,
}

trait Load {
    fn boxed<'a>(&'a self, id: u64) -> Pin<Box<dyn Future<Output = Result<u64, String>> + Send + 'a>>;
}

impl Shop {
    #[instrument(skip(self))]
    fn of(self, id: u64) -> u64 {
        self.orders + id
    }

    #[instrument]
    fn change(&mut self, by: u64) {
        self.orders += by;
    }

    #[instrument(err)]
    async fn load(&self, id: u64) -> Result<u64, String> {
        std::future::ready(()).await;
        id.checked_sub(self.orders).ok_or_else(|| "too few".to_owned())
    }

    #[instrument]
    pub(crate) fn later(&self) -> impl Future<Output = u64> {
        let orders = self.orders;
        async move { orders }
    }
}

impl Load for Shop {
    #[instrument(err)]
    fn boxed<'a>(&'a self, id: u64) -> Pin<Box<dyn Future<Output = Result<u64, String>> + Send + 'a>> {
        Box::pin(async move { self.load(id).await })
    }
}

fn main() {
    let mut shop = Shop { orders: 1 };
    shop.change(1);
    drop((shop.load(1), shop.later(), shop.boxed(1)));
    assert_eq!(shop.of(1), 3);
}
