//! The Service Layer as a way into SAP B1.

use std::sync::Arc;

use async_trait::async_trait;
use datawald_backoffice::{NativeOrder, Reference};
use datawald_core::{Cx, Result};

use super::{ServiceLayerClient, cancel, change, codes, customers, insert, look_up, missing};
use crate::api::{B1Absent, B1Api, B1Codes, B1Document, B1Info, B1Partner, Capabilities, Changed};

#[async_trait]
impl B1Api for ServiceLayerClient {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "the Service Layer",
            foreign_currency: true,
            updates: true,
            partners: true,
            marks: true,
            text_limits: None,
        }
    }

    async fn look_up(&self, cx: &Cx, references: &[Reference]) -> Result<Vec<Vec<B1Document>>> {
        look_up::look_up(self, cx, references).await
    }

    async fn insert(&self, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        insert::insert(self, cx, docs).await
    }

    async fn cancel(&self, cx: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        cancel::cancel(self, cx, orders).await
    }

    async fn change(&self, cx: &Cx, changes: &[(&str, NativeOrder)]) -> Result<Vec<Result<Changed>>> {
        change::change(self, cx, changes).await
    }

    async fn partners(&self, cx: &Cx, wanted: &[B1Partner]) -> Result<Vec<Result<Option<String>>>> {
        customers::partners(self, cx, wanted).await
    }

    async fn codes(&self, cx: &Cx) -> Result<Arc<B1Codes>> {
        codes::held(self, cx).await.map(|codes| codes.known.clone())
    }

    async fn codes_anew(&self, cx: &Cx) -> Result<Arc<B1Codes>> {
        codes::anew(self, cx).await.map(|codes| codes.known.clone())
    }

    async fn absent(&self, cx: &Cx, wanted: &B1Absent) -> Result<Option<B1Absent>> {
        missing::of(self, cx, wanted).await.map(Some)
    }

    async fn info(&self, cx: &Cx) -> Result<B1Info> {
        codes::info(self, cx).await
    }

    async fn has_field(&self, cx: &Cx, name: &str) -> Result<bool> {
        look_up::has_field(self, cx, name).await
    }

    fn requests_sent(&self) -> u64 {
        self.http.requests_sent()
    }

    /// Logs out of all sessions.
    async fn close(&self) {
        self.pool.close().await;
    }
}
