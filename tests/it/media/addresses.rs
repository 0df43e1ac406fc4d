//! Every trick that leads a fetch to where only we can go.

use std::sync::Arc;

use baton::engine::media::address::inside;
use baton::engine::media::resolve::Guarded;
use baton::engine::media::{FetchError, Fetcher};
use reqwest::dns::Resolve;

use super::RULES;
use super::site::{Names, Site, file};

fn fetcher(names: &Names) -> Fetcher {
    Fetcher::with_resolver(&[], Arc::new(names.clone())).expect("TLS roots")
}

async fn refusal(fetcher: &Fetcher, url: &str) -> FetchError {
    let error = fetcher.fetch(url, None, RULES).await.expect_err(url);
    assert!(!error.is_transient(), "{url}: {error:?}");
    error
}

#[tokio::test]
async fn an_address_in_the_url_is_read_before_anybody_is_called() {
    let tricks = [
        ("https://127.0.0.1/f", "loopback"),
        ("https://127.255.255.254:8443/f", "loopback"),
        ("https://127.1/f", "loopback"),
        ("https://2130706433/f", "loopback"),
        ("https://0x7f000001/f", "loopback"),
        ("https://0x7f.0x0.0x0.0x1/f", "loopback"),
        ("https://0177.0.0.01/f", "loopback"),
        ("https://127.0.0.1./f", "loopback"),
        ("https://%31%32%37.0.0.1/f", "loopback"),
        ("https://１２７.０.０.１/f", "loopback"),
        ("https://①②⑦.0.0.1/f", "loopback"),
        ("https://127。0。0。1/f", "loopback"),
        ("https:127.0.0.1/f", "loopback"),
        ("https:\\\\127.0.0.1\\f", "loopback"),
        (" https://127.0.0.1/f ", "loopback"),
        ("ht\ntps://127.0.0.1/f", "loopback"),
        ("https://0/f", "unspecified"),
        ("https://0.1.2.3/f", "unspecified"),
        ("https://10.1.2.3/f", "private"),
        ("https://172.16.0.1/f", "private"),
        ("https://172.31.255.255/f", "private"),
        ("https://192.168.1.1/f", "private"),
        ("https://100.64.0.1/f", "carrier's"),
        ("https://100.100.100.200/f", "carrier's"),
        ("https://169.254.1.1/f", "link-local"),
        ("https://169.254.169.254/latest/meta-data/", "metadata"),
        ("https://0xa9fea9fe/latest/meta-data/", "metadata"),
        ("https://168.63.129.16/f", "metadata"),
        ("https://192.0.0.192/f", "reserved"),
        ("https://192.0.2.1/f", "documentation"),
        ("https://198.51.100.1/f", "documentation"),
        ("https://203.0.113.1/f", "documentation"),
        ("https://192.88.99.1/f", "6to4"),
        ("https://198.19.255.255/f", "benchmark"),
        ("https://224.0.0.1/f", "multicast"),
        ("https://255.255.255.255/f", "reserved"),
        ("https://[::]/f", "unspecified"),
        ("https://[::1]/f", "loopback"),
        ("https://[0:0:0:0:0:0:0:1]/f", "loopback"),
        ("https://[::ffff:127.0.0.1]/f", "loopback"),
        ("https://[::ffff:a9fe:a9fe]/f", "metadata"),
        ("https://[::127.0.0.1]/f", "reserved"),
        ("https://[::ffff:0:127.0.0.1]/f", "reserved"),
        ("https://[64:ff9b::10.0.0.1]/f", "private"),
        ("https://[64:ff9b:1::8.8.8.8]/f", "reserved"),
        ("https://[2002:7f00:1::]/f", "6to4"),
        ("https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/f", "Teredo"),
        ("https://[2001:2::1]/f", "reserved"),
        ("https://[2001:db8::1]/f", "documentation"),
        ("https://[3fff::1]/f", "documentation"),
        ("https://[fd00:ec2::254]/f", "private"),
        ("https://[fc00::1]/f", "private"),
        ("https://[fe80::1]/f", "link-local"),
        ("https://[fec0::1]/f", "reserved"),
        ("https://[ff02::1]/f", "multicast"),
        ("https://[5f00::1]/f", "reserved"),
    ];
    let names = Names::default();
    let fetcher = fetcher(&names);
    for (url, what) in tricks {
        assert_eq!(
            refusal(&fetcher, url).await,
            FetchError::PrivateAddress(what),
            "{url}"
        );
    }
    assert!(names.asked().is_empty(), "{:?}", names.asked());
}

#[tokio::test]
async fn what_is_not_plain_https_is_refused() {
    let refused = [
        ("http://example.com/f", FetchError::NotHttps),
        ("ftp://example.com/f", FetchError::NotHttps),
        ("file:///etc/passwd", FetchError::NotHttps),
        ("data:text/plain,hello", FetchError::NotHttps),
        ("gopher://127.0.0.1:6379/_FLUSHALL", FetchError::NotHttps),
        ("unix:/run/docker.sock", FetchError::NotHttps),
        (
            "https://user:password@example.com/f",
            FetchError::Credentials,
        ),
        ("https://example.com@127.0.0.1/f", FetchError::Credentials),
        ("example.com/f", FetchError::NotAnAddress),
        ("//example.com/f", FetchError::NotAnAddress),
        ("https://", FetchError::NotAnAddress),
        ("https://1.2.3.4.5/f", FetchError::NotAnAddress),
        ("https://256.256.256.256/f", FetchError::NotAnAddress),
        ("https://example.com:99999/f", FetchError::NotAnAddress),
        ("", FetchError::NotAnAddress),
    ];
    let names = Names::default();
    let fetcher = fetcher(&names);
    for (url, why) in refused {
        assert_eq!(refusal(&fetcher, url).await, why, "{url}");
    }
    assert!(names.asked().is_empty(), "{:?}", names.asked());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_nobody_is_called() {
    let site = Site::serving(|_| file("image/png", super::PNG)).await;
    let port = site.origin.port().expect("a port");
    let answers: [(&[&str], &str); 6] = [
        (&["127.0.0.1"], "loopback"),
        (&["::1"], "loopback"),
        (&["::ffff:127.0.0.1"], "loopback"),
        (&["64:ff9b::a9fe:a9fe"], "metadata"),
        (&["93.184.216.34", "127.0.0.1"], "loopback"),
        (&["2606:4700::1111", "93.184.216.34", "10.0.0.1"], "private"),
    ];
    for (answer, what) in answers {
        let names = Names::knowing("files.example", &[answer]);
        let error = refusal(&fetcher(&names), &format!("https://files.example:{port}/f")).await;
        assert_eq!(error, FetchError::PrivateAddress(what), "{answer:?}");
        assert_eq!(names.asked(), ["files.example"]);
    }
    for name in ["localhost", "LOCALHOST", "ⓛocalhost"] {
        let names = Names::knowing("localhost", &[&["127.0.0.1"]]);
        let error = refusal(&fetcher(&names), &format!("https://{name}:{port}/f")).await;
        assert_eq!(error, FetchError::PrivateAddress("loopback"), "{name}");
    }
    assert_eq!(site.asked(), 0);
}

#[tokio::test]
async fn a_name_cannot_change_its_mind_between_check_and_connection() {
    let site = Site::serving(|_| file("image/png", super::PNG)).await;
    let port = site.origin.port().expect("a port");

    // The check is a part of the lookup: it sees every answer that a connection could use.
    let names = Names::knowing("files.example", &[&["93.184.216.34"], &["127.0.0.1"]]);
    let guarded = Guarded(Arc::new(names));
    let look = || guarded.resolve("files.example".parse().expect("a name"));
    let first: Vec<_> = look().await.expect("a public address").collect();
    assert_eq!(first, ["93.184.216.34:0".parse().expect("an address")]);
    let second = look().await.err().expect("no address");
    assert_eq!(second.to_string(), "the name leads to a loopback address");

    // And a connection makes one lookup, by us: the system does not know this name.
    let names = Names::knowing("files.example", &[&["127.0.0.1"], &["192.0.2.1"]]);
    let origin = format!("http://files.example:{port}");
    let allow = [origin.parse().expect("a URL")];
    let fetcher = Fetcher::with_resolver(&allow, Arc::new(names.clone())).expect("TLS roots");
    let fetched = fetcher.fetch(&format!("{origin}/f"), None, RULES).await;
    assert_eq!(fetched.expect("a file").bytes, super::PNG);
    assert_eq!(names.asked(), ["files.example"]);
}

#[tokio::test]
async fn a_name_in_any_script_is_looked_up_as_the_network_knows_it() {
    let names = Names::knowing("xn--bcher-kva.example", &[&["10.0.0.1"]]);
    refusal(&fetcher(&names), "https://BÜCHER.example/f").await;
    assert_eq!(names.asked(), ["xn--bcher-kva.example"]);
}

#[tokio::test]
async fn an_exception_is_for_one_origin_and_not_for_its_host() {
    let site = Site::serving(|_| file("image/png", super::PNG)).await;
    let fetcher = Fetcher::new(std::slice::from_ref(&site.origin)).expect("TLS roots");
    let fetched = fetcher.fetch(&site.at("/f"), None, RULES).await;
    assert_eq!(fetched.expect("a file").content_type, "image/png");

    let other = Site::serving(|_| file("image/png", super::PNG)).await;
    let refused = fetcher.fetch(&other.at("/f"), None, RULES).await;
    assert_eq!(refused, Err(FetchError::NotHttps));
    let secure = other.at("/f").replace("http:", "https:");
    let refused = fetcher.fetch(&secure, None, RULES).await;
    assert_eq!(refused, Err(FetchError::PrivateAddress("loopback")));
    assert_eq!(other.asked(), 0);
}

#[test]
fn public_addresses_are_public() {
    let public = [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "168.63.129.15",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ];
    for address in public {
        assert_eq!(
            inside(address.parse().expect("an address")),
            None,
            "{address}"
        );
    }
}
