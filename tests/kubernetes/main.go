// A Kubernetes API server that serves custom resources and nothing else, for tests.
//
// It is the API server's own code for CustomResourceDefinitions, with etcd in the same process. It
// listens on loopback with a certificate of its own, keeps everything in one folder, and prints its
// port as soon as it can be used. It has no namespaces, no discovery of groups and no objects of
// RBAC. Instead, a token says what its bearer may do:
//
//	admin                          everything
//	reader.uplinks.ingressroutes   list and watch these resources, and nothing else
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.opentelemetry.io/otel/trace/noop"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	definitions "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/rest"
)

const admin = "admin"

func main() {
	data := flag.String("data", "", "folder of the certificate and of etcd")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *data); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, data string) error {
	storage, err := startEtcd(filepath.Join(data, "etcd"))
	if err != nil {
		return err
	}
	defer storage.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config, err := configure(data, listener, storage.Clients[0].Addr().String())
	if err != nil {
		return err
	}
	loopback := config.GenericConfig.LoopbackClientConfig
	extended, err := config.Complete().New(server.NewEmptyDelegate())
	if err != nil {
		return err
	}
	go announce(ctx, loopback, listener.Addr().(*net.TCPAddr).Port)
	return extended.GenericAPIServer.PrepareRun().RunWithContext(ctx)
}

func startEtcd(folder string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = folder
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // what the kernel has survives the end of this process
	address := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls = []url.URL{address}
	config.ListenPeerUrls = []url.URL{address}
	storage, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	<-storage.Server.ReadyNotify()
	return storage, nil
}

func configure(data string, listener net.Listener, etcd string) (*extensions.Config, error) {
	own := options.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	recommended := own.RecommendedOptions
	recommended.Etcd.StorageConfig.Transport.ServerList = []string{"http://" + etcd}
	serving := recommended.SecureServing
	serving.Listener = listener
	serving.BindPort = listener.Addr().(*net.TCPAddr).Port
	serving.ServerCert.CertDirectory = data
	err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}

	generic := server.NewRecommendedConfig(extensions.Codecs)
	generic.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	generic.OpenAPIV3Config = server.DefaultOpenAPIV3Config(
		definitions.GetOpenAPIDefinitions, openapi.NewDefinitionNamer(extensions.Scheme))
	generic.FlowControl = nil
	generic.Authentication.Authenticator = bearertoken.New(authenticator.TokenFunc(identify))
	generic.Authorization.Authorizer = authorizer.AuthorizerFunc(authorize)
	if err := recommended.Etcd.ApplyTo(&generic.Config); err != nil {
		return nil, err
	}
	err = serving.ApplyTo(&generic.SecureServing, &generic.LoopbackClientConfig)
	if err != nil {
		return nil, err
	}
	err = own.APIEnablement.ApplyTo(
		&generic.Config, extensions.DefaultAPIResourceConfigSource(), extensions.Scheme)
	if err != nil {
		return nil, err
	}
	return &extensions.Config{
		GenericConfig: generic,
		ExtraConfig: extensions.ExtraConfig{
			CRDRESTOptionsGetter: options.NewCRDRESTOptionsGetter(
				*recommended.Etcd, generic.ResourceTransformers, generic.StorageObjectCountTracker),
			AuthResolverWrapper: webhook.NewDefaultAuthenticationInfoResolverWrapper(
				nil, nil, generic.LoopbackClientConfig, noop.NewTracerProvider()),
		},
	}, nil
}

func identify(_ context.Context, token string) (*authenticator.Response, bool, error) {
	name, _, _ := strings.Cut(token, ".")
	if name != admin && name != "reader" {
		return nil, false, nil
	}
	groups := []string{user.AllAuthenticated}
	return &authenticator.Response{User: &user.DefaultInfo{Name: token, Groups: groups}}, true, nil
}

func authorize(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
	name, resources, _ := strings.Cut(asked.GetUser().GetName(), ".")
	reads := asked.GetVerb() == "list" || asked.GetVerb() == "watch"
	allowed := slices.Contains(strings.Split(resources, "."), asked.GetResource())
	if name == admin || asked.GetUser().GetName() == user.APIServerUser || reads && allowed {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// announce prints the port once the API of CustomResourceDefinitions answers.
func announce(ctx context.Context, config *rest.Config, port int) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		log.Fatal(err)
	}
	for ctx.Err() == nil {
		path := "/apis/" + v1.GroupName + "/v1/customresourcedefinitions"
		answer, err := client.Get(config.Host + path)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == 200 {
				fmt.Println(port)
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
