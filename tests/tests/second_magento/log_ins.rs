//! A wrong password does not lock the admin user, and the right one works at once.

use datawald_core::engine::FetchQuery;
use jiff::SignedDuration;
use mage2_connector::{AdminLogin, Credentials, Mage2Client, Mage2Settings};

use super::shop::Shop;

fn client(shop: &Shop, password: &str) -> Mage2Client {
    let login = AdminLogin { username: "erp".to_owned(), password: password.to_owned().into() };
    let settings = Mage2Settings::new(&shop.url, Credentials::Admin(login));
    Mage2Client::with_clock(settings, shop.clock.clone()).unwrap()
}

#[tokio::test]
async fn a_day_with_a_wrong_password_locks_nobody() {
    let shop = Shop::with(1..=3).await;
    let wrong = client(&shop, "wrong");
    let query = FetchQuery { from: None, after: None, page_size: 10 };
    let mut log_ins = Vec::new();
    for second in 0..=24 * 3600 {
        if second % 10 == 0 {
            wrong.orders_page(&query).await.unwrap_err();
        }
        if [190, 1800, 24 * 3600].contains(&second) {
            log_ins.push(shop.book().log_ins);
        }
        shop.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!((log_ins.as_slice(), shop.book().locked), ([3, 4, 28].as_slice(), false));
    // Corrected settings are another client.
    assert_eq!(client(&shop, "right").orders_page(&query).await.unwrap().docs.len(), 3);
}
