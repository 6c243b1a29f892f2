package headers

import (
	"encoding/json"
	"strings"
	"time"
)

// RetryInfo returns the wait that the body of a refusal asks for, and reports whether there is one.
// Google's APIs have it in no header field. Their body is a google.rpc.Status as JSON, alone or in an
// array. Among its details is a google.rpc.RetryInfo with a retryDelay such as "34.07s". Of several the
// longest counts. A body that is cut off counts as having none.
func RetryInfo(body []byte) (wait time.Duration, ok bool) {
	var first json.RawMessage
	if many := []json.RawMessage(nil); json.Unmarshal(body, &many) == nil && len(many) > 0 {
		first = many[0]
	} else {
		first = body
	}
	var refusal struct {
		Error struct {
			Details []json.RawMessage
		}
	}
	_ = json.Unmarshal(first, &refusal) // a body of another form has no details
	for _, raw := range refusal.Error.Details {
		var detail struct {
			Type       string `json:"@type"`
			RetryDelay string
		}
		if json.Unmarshal(raw, &detail) != nil || !strings.HasSuffix(detail.Type, "google.rpc.RetryInfo") {
			continue
		}
		n, unit, number := cutDecimal(detail.RetryDelay)
		if !number || unit != "s" {
			continue
		}
		if d := n.times(time.Second); d > 0 {
			wait, ok = max(wait, d), true
		}
	}
	return wait, ok
}
