package serve

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kith/govern"
)

// operate adds what watches the process: /healthz and /readyz are open and tell nothing of the data; /metrics asks for
// ReadStatus, as the counts of a company's events are its own.
func (a *API) operate() {
	a.o.Metrics.MustRegister(decisions{a.o.Policy})
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, Health{Status: "ok"}) })
	a.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if reasons := a.o.Ready(); len(reasons) > 0 {
			answer(w, http.StatusServiceUnavailable, Health{Status: "not ready", Reasons: reasons})
			return
		}
		answer(w, http.StatusOK, Health{Status: "ok"})
	})
	metrics := promhttp.HandlerFor(a.o.Metrics, promhttp.HandlerOpts{})
	a.mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.o.Policy.Decide(govern.WithObject(r.Context(), "metrics"), govern.CredentialOf(r), govern.ReadStatus); err != nil {
			a.refuse(w, r, err)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// Health is the answer of /healthz (the process runs) and /readyz (it can do its work; else 503 and why not).
type Health struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}

// requests counts answers by route. A route is a pattern of the mux, so clients cannot make more of them.
type requests struct{ duration *prometheus.HistogramVec }

func newRequests(registry *prometheus.Registry) requests {
	r := requests{prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "kith_http_request_duration_seconds",
		Help:    "Time from a request's header to the end of its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}}, []string{"route", "code"})}
	registry.MustRegister(r.duration)
	return r
}

func (r requests) observe(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	r.duration.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// decisions shows the policy's counts.
type decisions struct{ policy *govern.Policy }

func (decisions) desc() (decided, unknown *prometheus.Desc) {
	return prometheus.NewDesc("kith_decisions_total", "What the policy decided.", []string{"action", "allowed"}, nil),
		prometheus.NewDesc("kith_credentials_unknown_total", "Requests with a credential that nobody has.", nil, nil)
}

// Describe is for prometheus.
func (d decisions) Describe(to chan<- *prometheus.Desc) {
	decided, unknown := d.desc()
	to <- decided
	to <- unknown
}

// Collect is for prometheus.
func (d decisions) Collect(to chan<- prometheus.Metric) {
	decided, unknown := d.desc()
	counts, strange := d.policy.Decisions()
	for _, c := range counts {
		to <- prometheus.MustNewConstMetric(decided, prometheus.CounterValue, float64(c.Allowed), string(c.Action), "true")
		to <- prometheus.MustNewConstMetric(decided, prometheus.CounterValue, float64(c.Refused), string(c.Action), "false")
	}
	to <- prometheus.MustNewConstMetric(unknown, prometheus.CounterValue, float64(strange))
}
