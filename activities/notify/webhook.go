package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"

	"github.com/shodo-ecosystem/fukkyu/plan"
)

// The headers of a webhook.
const (
	idempotencyHeader = "Idempotency-Key"
	signatureHeader   = "X-Fukkyu-Signature-256" // sha256= and the HMAC of the body, in hex
)

// webhook sends messages as JSON to whatever takes them.
type webhook struct {
	site   plan.Webhook
	client *http.Client
}

// webhookDocument is what a webhook is sent: the message, and what it is to be shown as.
type webhookDocument struct {
	ID    string `json:"id"` // the same in every attempt
	Title string `json:"title"`
	Message
}

// send posts a message. Every attempt at it has the same idempotency key.
func (w webhook) send(ctx context.Context, m Message) (Sent, error) {
	id := m.fingerprint()
	body := encode(webhookDocument{ID: id, Title: m.title(), Message: m})
	request := post{channel: m.Channel, field: "webhook.url", url: w.site.URL, body: body, headers: maps.Clone(w.site.Headers)}
	if request.headers == nil {
		request.headers = map[string]string{}
	}
	request.headers[idempotencyHeader] = id
	if err := w.sign(&request); err != nil {
		return Sent{}, err
	}
	return Sent{Kind: "webhook", To: host(w.site.URL), Reference: id}, request.do(ctx, w.client)
}

// sign adds what proves who sent a request.
func (w webhook) sign(request *post) error {
	if w.site.SecretFile != "" {
		secret, err := readSecret(request.channel, "webhook.secretFile", w.site.SecretFile)
		if err != nil {
			return err
		}
		request.headers[signatureHeader] = "sha256=" + signature(secret, request.body)
		request.secrets = append(request.secrets, secret)
	}
	if w.site.TokenFile != "" {
		token, err := readSecret(request.channel, "webhook.tokenFile", w.site.TokenFile)
		if err != nil {
			return err
		}
		request.headers["Authorization"] = "Bearer " + token
		request.secrets = append(request.secrets, token)
	}
	return nil
}

// signature is the HMAC-SHA256 of a body, in hex.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
