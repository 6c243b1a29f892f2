// Package controller is a Kubernetes controller that annotates each config map with the digest of its data.
package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	client "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

// Annotation is the name of the annotation with the digest.
const Annotation = "example.com/digest"

type controller struct {
	client client.CoreV1Interface
	lister corelisters.ConfigMapLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

// Run runs that many workers until ctx is done. Requests to the API server take their tokens from s.
func Run(ctx context.Context, config *rest.Config, s *scheduler.Scheduler, workers int) error {
	config = rest.CopyConfig(config)
	config.RateLimiter = adapters.Limiter{Scheduler: s}
	core, err := client.NewForConfig(config)
	if err != nil {
		return err
	}
	source := cache.NewListWatchFromClient(core.RESTClient(), "configmaps", metav1.NamespaceAll, fields.Everything())
	informer := cache.NewSharedIndexInformer(source, &corev1.ConfigMap{}, 0, cache.Indexers{})
	c := &controller{client: core, lister: corelisters.NewConfigMapLister(informer.GetIndexer()), queue: workqueue.NewTypedRateLimitingQueue(
		&adapters.Workqueue[cache.ObjectName]{Policy: retry.Policy{Initial: 10 * time.Millisecond, Max: 5 * time.Minute}},
	)}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    c.enqueue,
		UpdateFunc: func(_, obj any) { c.enqueue(obj) },
	}); err != nil {
		return err
	}
	var all sync.WaitGroup
	defer func() {
		c.queue.ShutDown()
		all.Wait()
	}()
	all.Go(func() { informer.RunWithContext(ctx) })
	for range workers {
		all.Go(func() {
			for c.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (c *controller) enqueue(obj any) {
	if name, err := cache.ObjectToName(obj); err == nil {
		c.queue.Add(name)
	}
}

// next reconciles one config map. If that fails, the queue returns the map again after a backoff.
func (c *controller) next(ctx context.Context) bool {
	name, down := c.queue.Get()
	if down {
		return false
	}
	defer c.queue.Done(name)
	if err := c.reconcile(ctx, name); err != nil {
		c.queue.AddRateLimited(name)
	} else {
		c.queue.Forget(name) // otherwise the queue remembers it forever
	}
	return true
}

func (c *controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	known, err := c.lister.ConfigMaps(name.Namespace).Get(name.Name)
	if errors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	data, err := json.Marshal(known.Data)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	if known.Annotations[Annotation] == digest {
		return nil
	}
	m := known.DeepCopy() // the cache is shared, so don't change it
	metav1.SetMetaDataAnnotation(&m.ObjectMeta, Annotation, digest)
	_, err = c.client.ConfigMaps(m.Namespace).Update(ctx, m, metav1.UpdateOptions{})
	return err
}
