package collect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kith/collect"
	"kith/event"
)

// realistic is an event of 806 bytes.
const realistic = `{"type":"track","messageId":"3f2b9c1e-7a51-4b0e-9d55-1c2e8f1a7b60","anonymousId":"a1b2c3d4-0000-4444-8888-9999aaaabbbb","userId":"user-184223","event":"Product Viewed","timestamp":"2025-11-25T08:15:30.123Z","properties":{"product_id":"sku-00421","name":"Espresso Machine \"Classic\"","category":"kitchen/coffee","price":349.90,"currency":"EUR","quantity":1,"position":3,"in_stock":true},"context":{"page":{"url":"https://shop.example.com/p/sku-00421?utm_source=newsletter&utm_medium=email","path":"/p/sku-00421","title":"Espresso Machine Classic","referrer":"https://www.example.org/search"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36","locale":"de-DE","timezone":"Europe/Berlin","library":{"name":"analytics.js","version":"2.1.0"}}}`

type discard struct{}

func (discard) Append(context.Context, []byte, int) (event.Seq, error) { return 1, nil }

// nowhere is a ResponseWriter that keeps only the status.
type nowhere struct {
	header http.Header
	status int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(status int)      { n.status = status }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }

// plain is what a door is measured against: it takes the body apart with encoding/json, as little as it can, and
// stores nothing.
func plain(w http.ResponseWriter, r *http.Request) {
	var batch struct {
		Batch []struct {
			Type, MessageID, UserID, AnonymousID string
			Properties                           json.RawMessage
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]bool{"success": true})
}

// cpu is the processor time that this process has used: other programs on the machine do not change it.
func cpu(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// requests runs n requests with the body through the handler, in one goroutine, and returns the processor time.
func requests(b *testing.B, h http.Handler, path string, body []byte, n int) time.Duration {
	w := &nowhere{header: http.Header{}}
	reader := bytes.NewReader(body)
	r, err := http.NewRequest(http.MethodPost, path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	r.SetBasicAuth("web-key", "")
	r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
	start := cpu(b)
	for range n {
		reader.Reset(body)
		clear(w.header)
		w.status = http.StatusOK
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
	}
	return cpu(b) - start
}

// BenchmarkDoors runs each door, and in the same run a handler that only decodes the same body with encoding/json.
func BenchmarkDoors(b *testing.B) {
	hundred := strings.Repeat(realistic+",", 99) + realistic
	for _, c := range []struct {
		name, path, body string
		events           int
	}{
		{"batch/100", "/v1/batch", `{"batch":[` + hundred + `],"sentAt":"2025-11-25T08:15:31Z"}`, 100},
		{"batch/1", "/v1/batch", `{"batch":[` + realistic + `]}`, 1},
		{"events/100", "/api/v1/events", `{"events":[` + hundred + `]}`, 100},
		{"events/1", "/api/v1/events", realistic, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			mux := http.NewServeMux()
			for _, d := range collect.New(collect.Options{Journal: discard{}, Gate: gate{}, Sources: sources{}}).Doors() {
				mux.Handle(d.Path, d)
			}
			requests(b, mux, c.path, []byte(c.body), 1)
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			b.ResetTimer()
			ours := requests(b, mux, c.path, []byte(c.body), b.N)
			b.StopTimer()
			few := max(b.N/10, 1) // it is many times slower
			body := strings.Replace(c.body, `"events"`, `"batch"`, 1)
			theirs := requests(b, http.HandlerFunc(plain), c.path, []byte(body), few)
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*c.events), "cpu-ns/event")
			b.ReportMetric(float64(theirs)/float64(few)/(float64(ours)/float64(b.N)), "x_encodingjson")
		})
	}
}
