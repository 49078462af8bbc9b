<?php

declare(strict_types=1);

// Debian's PSR-3: the tests need no package of Composer.
require '/usr/share/php/Psr/Log/autoload.php';

$package = getenv('KATALYS_PHP');
if ($package === false || !is_file("$package/autoload.php")) {
    fwrite(STDERR, "KATALYS_PHP is not the folder of the built package; run `make test`\n");
    exit(2);
}
define('KATALYS_PACKAGE', $package);
require "$package/autoload.php";

foreach (['Receiver', 'Shared', 'Program', 'Samples'] as $class) {
    require __DIR__ . "/Support/$class.php";
}

// The settings of this machine must not reach the tests.
foreach (array_keys(Katalys\Tests\Support\Shared::scenarios()['defaults']['env']) as $variable) {
    putenv($variable);
}
