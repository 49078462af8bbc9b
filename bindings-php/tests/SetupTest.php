<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use PHPUnit\Framework\TestCase;

/**
 * The configurations of PHP, and the messages for those that cannot work.
 */
final class SetupTest extends TestCase
{
    private const TRY = '
        try {
            new Katalys\Client("abcd.com");
            echo "works";
        } catch (Katalys\ConfigException $exception) {
            echo $exception->errorCode, " ", $exception->getMessage();
        }
    ';

    /** @var resource|null */
    private $server = null;

    protected function tearDown(): void
    {
        if ($this->server !== null) {
            proc_terminate($this->server);
            proc_close($this->server);
        }
    }

    public function testTheCommandLineNeedsNoSetting(): void
    {
        self::assertSame('works', Program::output(self::TRY, []));
    }

    public function testFfiThatIsOffSaysWhatToSetAndWhere(): void
    {
        $said = Program::output(self::TRY, ['-d', 'ffi.enable=0']);
        self::assertStringStartsWith('config_invalid ffi.enable is off; set ffi.enable=preload', $said);
        self::assertStringContainsString('opcache.preload=' . KATALYS_PACKAGE . '/preload.php', $said);
        self::assertStringContainsString(' in ' . php_ini_loaded_file(), $said);
    }

    public function testFfiThatIsMissingSaysWhatToInstall(): void
    {
        $said = Program::output(self::TRY, ['-n']);
        self::assertStringStartsWith('config_missing PHP\'s FFI extension is missing; install it', $said);
    }

    /** @return array<string, array{string|null, string}> */
    public function brokenLibraries(): array
    {
        return [
            'missing' => [null, '~^config_missing this package has no library for linux-\w+; there should be one~'],
            'no library' => ['text', '~^config_invalid the library \S+ cannot be used: .+ install the package again~'],
        ];
    }

    public function testAHeaderThatIsMissingOrOfAnotherVersionIsNamed(): void
    {
        $package = Program::copyOfPackage();
        $header = "$package/include/katalys-php.h";
        $text = (string) file_get_contents($header);
        unlink($header);
        $expected = "config_missing this package is incomplete: $header is missing; install the package again";
        self::assertSame($expected, Program::output(self::TRY, [], $package));
        foreach (['', 'no header', "$text\nvoid katalys_of_another_version(void);\n"] as $broken) {
            file_put_contents($header, $broken);
            $said = Program::output(self::TRY, [], $package);
            $expected = '~^config_invalid the library \S+ cannot be used: .+ again and restart PHP~';
            self::assertMatchesRegularExpression($expected, $said);
        }
    }

    public function testAPackageThatWasRemovedWhileItRunsAsksForARestart(): void
    {
        $package = Program::copyOfPackage();
        $load = '
            $names = ["ConfigException", "Client", "Internal/Handle", "Internal/Library", "Internal/Update"];
            foreach ($names as $name) {
                class_exists(strtr("Katalys/$name", "/", chr(92)));
            }
            exec("rm -rf " . escapeshellarg(' . var_export($package, true) . '));
        ';
        $said = Program::output($load . self::TRY, [], $package);
        self::assertStringStartsWith("config_missing PHP still runs this package from $package, which is no", $said);
        self::assertStringEndsWith(' and restart PHP (php-fpm, Apache)', $said);
    }

    /** @dataProvider brokenLibraries */
    public function testALibraryThatCannotBeUsedIsNamed(?string $content, string $expected): void
    {
        $package = Program::copyOfPackage();
        $library = $package . '/lib/linux-' . php_uname('m') . '/libkatalys.so';
        unlink($library);
        if ($content !== null) {
            file_put_contents($library, $content);
        }
        self::assertMatchesRegularExpression($expected, Program::output(self::TRY, [], $package));
    }

    /** @return array<string, array{list<string>, string}> */
    public function servers(): array
    {
        $preload = 'opcache.preload=' . KATALYS_PACKAGE . '/preload.php';
        $user = posix_getuid() === 0 ? ['-d', 'opcache.preload_user=root'] : [];

        return [
            'as it comes' => [[], 'config_invalid ffi.enable=preload allows FFI only in preloaded code'],
            'ffi.enable=1' => [['-d', 'ffi.enable=1'], 'works'],
            'preload' => [['-d', 'opcache.enable=1', '-d', $preload, ...$user], 'works'],
            'off' => [['-d', 'ffi.enable=0'], 'config_invalid ffi.enable is off'],
        ];
    }

    /**
     * @dataProvider servers
     *
     * @param list<string> $options
     */
    public function testTheBuiltInServer(array $options, string $expected): void
    {
        $said = $this->serve($options, self::TRY);
        self::assertStringStartsWith($expected, $said);
        if ($expected !== 'works') {
            self::assertStringContainsString('opcache.preload=' . KATALYS_PACKAGE . '/preload.php', $said);
        }
    }

    public function testTheBuiltInServerKeepsItsConnectionFromRequestToRequest(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $code = "echo (new Katalys\\Client('abcd.com', endpoint: '$endpoint->url'))"
            . '->updateOrder("1", [])->attempts;';
        self::assertSame('111', $this->serve(['-d', 'ffi.enable=1'], $code, 3));
        self::assertCount(1, array_unique(array_column($endpoint->records(3), 'connection')));
    }

    public function testTheBuiltInServerDeliversBetweenRequests(): void
    {
        $endpoint = Receiver::get()->endpoint('503', '204');
        $file = Program::folder() . '/katalys.db';
        $code = "echo (new Katalys\\Client('abcd.com', endpoint: '$endpoint->url', outbox: '$file'))"
            . '->enqueueUpdate("1", [])->id;';
        self::assertSame('12', $this->serve(['-d', 'ffi.enable=1'], $code, 2));
        self::assertCount(3, $endpoint->records(3));
    }

    public function testPhpParsesTheWholeHeader(): void
    {
        $names = Program::output('
            $ffi = (new ReflectionMethod("Katalys\Internal\Library", "open"))->invoke(null);
            echo $ffi->katalys_abi_version(), " ", $ffi->katalys_version();
        ');
        self::assertMatchesRegularExpression('/^1 \d+\.\d+\.\d+$/', $names);
    }

    public function testPsrLogIsNeededOnlyForALogger(): void
    {
        $output = Program::output('
            $client = new Katalys\Client("abcd.com");
            echo $client->validateUpdate("1", [])->isValid() ? "valid " : "";
            echo interface_exists("Psr\Log\LoggerInterface", false) ? "loaded" : "not loaded";
        ');
        self::assertSame('valid not loaded', $output);
    }

    public function testTheExampleOfTheReadmeWorks(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        preg_match('/^```php\n<\?php\n(.+?)^```/ms', (string) file_get_contents(KATALYS_PACKAGE . '/README.md'), $code);
        $code = str_replace("require 'vendor/autoload.php';", "putenv('KATALYS_ENDPOINT=$endpoint->url');", $code[1]);
        self::assertSame("received after 1 attempt(s)\n", Program::output($code));
        self::assertCount(1, $endpoint->records(1));
    }

    public function testTheOutboxsExampleOfTheReadmeWorks(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $readme = (string) file_get_contents(KATALYS_PACKAGE . '/README.md');
        preg_match_all('/^```php\n<\?php\n(.+?)^```/ms', $readme, $examples);
        $code = str_replace(
            ["require 'vendor/autoload.php';", '/var/lib/shop'],
            ["putenv('KATALYS_ENDPOINT=$endpoint->url');", Program::folder()],
            $examples[1][1],
        );
        self::assertSame("update 1 is safe on disk\n0 left, 1 delivered\n", Program::output($code));
        self::assertCount(1, $endpoint->records(1));
    }

    public function testComposersAutoloaderFindsThePackage(): void
    {
        $package = Program::copyOfPackage();
        exec('composer dump-autoload -q --no-plugins -d ' . escapeshellarg($package) . ' 2>&1', $output, $code);
        self::assertSame(0, $code, implode("\n", $output));
        self::assertSame('works', Program::output(self::TRY, [], "$package/vendor"));
    }

    /** As from a folder of the build, and without Packagist. */
    public function testComposerInstallsThePackageFromAFolder(): void
    {
        $project = Program::folder();
        $psr = ['name' => 'psr/log', 'version' => '3.0.0', 'autoload' => ['psr-4' => ['Psr\\Log\\' => '']]];
        mkdir("$project/psr");
        file_put_contents("$project/psr/composer.json", json_encode($psr));
        $repositories = [
            ['type' => 'path', 'url' => KATALYS_PACKAGE],
            ['type' => 'path', 'url' => "$project/psr"],
            ['packagist.org' => false],
        ];
        file_put_contents("$project/composer.json", json_encode(['repositories' => $repositories]));
        $command = 'composer require -q --no-plugins --no-audit -d ' . escapeshellarg($project);
        exec("$command katalys/katalys 2>&1", $output, $code);
        self::assertSame(0, $code, implode("\n", $output));
        $required = json_decode((string) file_get_contents("$project/composer.json"), true)['require'];
        self::assertMatchesRegularExpression('/^\^\d/', $required['katalys/katalys'], 'a release, not @dev');
        self::assertSame('works', Program::output(self::TRY, [], "$project/vendor"));
    }

    public function testThePreloadFileLoadsEveryClass(): void
    {
        $classes = Program::output('
            require ' . var_export(KATALYS_PACKAGE . '/preload.php', true) . ';
            foreach (get_included_files() as $file) { echo basename($file), "\n"; }
        ');
        $loaded = explode("\n", $classes);
        // The classes for tests are not for php-fpm.
        $missing = [];
        $files = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator(KATALYS_PACKAGE . '/src'));
        foreach ($files as $file) {
            $isForShops = $file->isFile() && basename($file->getPath()) !== 'Testing';
            if ($isForShops && !in_array($file->getFilename(), $loaded, true)) {
                $missing[] = $file->getFilename();
            }
        }
        self::assertSame([], $missing);
    }

    /** @param list<string> $options */
    private function serve(array $options, string $code, int $requests = 1): string
    {
        $folder = sys_get_temp_dir() . '/katalys-server-' . getmypid();
        @mkdir($folder);
        $autoload = var_export(KATALYS_PACKAGE . '/autoload.php', true);
        file_put_contents("$folder/index.php", "<?php require $autoload;\n$code");
        $port = Program::freePort();
        $command = [PHP_BINARY, ...$options, '-q', '-S', "127.0.0.1:$port", '-t', $folder];
        $this->server = proc_open($command, [1 => ['file', '/dev/null', 'w'], 2 => ['file', '/dev/null', 'w']], $pipes);
        Program::waitFor("the server on port $port", static fn() => Program::listens($port));
        $said = '';
        for ($request = 0; $request < $requests; $request++) {
            $said .= file_get_contents("http://127.0.0.1:$port/");
        }
        unlink("$folder/index.php");
        rmdir($folder);

        return $said;
    }
}
